#!/bin/sh
# Put this file at /etc/icinga2/scripts/tocsin-notification.sh, executable by the user that Icinga runs as.
#
# Posts one notification to tocsin: each variable ICINGA_NAME that tocsin.conf sets, and that says something, as a form field.
# Address and token are in the curl configuration that TOCSIN_CURL names: tocsin.curl. Needs curl 7.71 or later.

for name in \
    NOTIFICATIONTYPE NOTIFICATIONAUTHOR NOTIFICATIONCOMMENT TIMET \
    HOSTNAME HOSTDISPLAYNAME HOSTADDRESS HOSTADDRESS6 HOSTGROUPNAMES HOSTZONE \
    HOSTSTATE HOSTSTATETYPE LASTHOSTSTATE LASTHOSTSTATECHANGE HOSTATTEMPT MAXHOSTATTEMPTS HOSTDOWNTIME \
    HOSTOUTPUT HOSTPERFDATA HOSTCHECKCOMMAND HOSTNOTES HOSTNOTESURL HOSTACTIONURL \
    SERVICENAME SERVICEDISPLAYNAME SERVICEGROUPNAMES \
    SERVICESTATE SERVICESTATETYPE LASTSERVICESTATE LASTSERVICESTATECHANGE SERVICEATTEMPT MAXSERVICEATTEMPTS SERVICEDOWNTIME \
    SERVICEOUTPUT SERVICEPERFDATA SERVICECHECKCOMMAND SERVICENOTES SERVICENOTESURL SERVICEACTIONURL
do
    eval "value=\${ICINGA_$name-}"
    if [ -n "$value" ]; then
        set -- "$@" --data-urlencode "$name=$value"
    fi
done

exec curl --config "${TOCSIN_CURL:-/etc/icinga2/tocsin.curl}" "$@"
