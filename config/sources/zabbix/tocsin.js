// The script of the media type in media_tocsin.yaml, for Zabbix 5.0 and later. Where the file cannot be imported (5.0 to 5.4),
// paste this one into a media type of the type Webhook, with the parameters that README.md lists.
//
// It posts every parameter that says something to tocsin as JSON, and throws unless the answer is 2xx: Zabbix then tries again.

var SETTINGS = ['tocsin_url', 'tocsin_token', 'tocsin_secret', 'http_proxy'];
var MACRO = /^\{[A-Z$#?][^{}]*\}$/;

function isMissing(value) {
    return typeof value !== 'string' || value.trim() === '' || value === '*UNKNOWN*' || MACRO.test(value.trim());
}

function isTest(params) {
    return params.event_id === '{EVENT.ID}';
}

function check(params) {
    if (isMissing(params.tocsin_url) || !/^https?:\/\//.test(params.tocsin_url)) {
        throw 'parameter tocsin_url must be the address of the hook: https://…/hooks/NAME';
    }
    if (isMissing(params.tocsin_token) && isMissing(params.tocsin_secret)) {
        throw 'parameter tocsin_token (or tocsin_secret) is empty, or a macro that is not defined';
    }
    if (isTest(params)) {
        return; // sent as it is: address and token are tried, and tocsin takes it as a test
    }
    if (isMissing(params.event_id)) {
        throw 'parameter event_id must be {EVENT.ID}';
    }
    if (['0', '1', '2', '3', '4'].indexOf(params.event_source) === -1) {
        throw 'parameter event_source must be {EVENT.SOURCE}, and is ' + params.event_source;
    }
    if (['0', '3', '4'].indexOf(params.event_source) !== -1 && ['0', '1'].indexOf(params.event_value) === -1) {
        throw 'parameter event_value must be {EVENT.VALUE}, and is ' + params.event_value;
    }
    if (params.event_source === '0' && isMissing(params.host)) {
        throw 'parameter host must be {HOST.HOST}';
    }
}

function said(params) {
    var message = {};
    Object.keys(params).sort().forEach(function (name) {
        if (SETTINGS.indexOf(name) === -1 && (name === 'event_id' || !isMissing(params[name]))) {
            message[name] = params[name];
        }
    });
    return JSON.stringify(message);
}

function headers(params, body) {
    var lines = ['Content-Type: application/json'];
    if (!isMissing(params.tocsin_token)) {
        lines.push('Authorization: Bearer ' + params.tocsin_token.trim());
    }
    if (!isMissing(params.tocsin_secret)) {
        if (typeof hmac !== 'function') {
            throw 'parameter tocsin_secret needs a version of Zabbix whose scripts have hmac(): use tocsin_token';
        }
        lines.push('X-Tocsin-Signature: sha256=' + hmac('sha256', params.tocsin_secret.trim(), body));
    }
    return lines;
}

function post(params, body) {
    // Zabbix before 5.4 has another name of the object, and writes its methods with a capital letter.
    var request = typeof HttpRequest === 'undefined' ? new CurlHttpRequest() : new HttpRequest();
    var old = typeof request.addHeader === 'undefined';
    headers(params, body).forEach(function (line) {
        return old ? request.AddHeader(line) : request.addHeader(line);
    });
    if (!isMissing(params.http_proxy)) {
        old ? request.SetProxy(params.http_proxy) : request.setProxy(params.http_proxy);
    }
    var answer = old ? request.Post(params.tocsin_url, body) : request.post(params.tocsin_url, body);
    return {status: old ? request.Status() : request.getStatus(), answer: String(answer)};
}

function log(text) {
    return typeof Zabbix.log === 'undefined' ? Zabbix.Log(4, text) : Zabbix.log(4, text);
}

try {
    var params = JSON.parse(value);
    check(params);
    var result = post(params, said(params));
    log('[tocsin] event ' + params.event_id + ': ' + result.status + ' ' + result.answer);
    if (result.status < 200 || result.status > 299) {
        throw 'tocsin answered ' + result.status + ': ' + result.answer.substring(0, 300);
    }
    return 'OK';
} catch (error) {
    throw '[tocsin] ' + error;
}
