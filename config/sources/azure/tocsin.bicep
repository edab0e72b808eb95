// Bicep: az deployment group create --resource-group monitoring --template-file tocsin.bicep
// An action group that calls tocsin, and one rule for each sort of alert, as examples. The common alert schema must be on.

param vm string = '/subscriptions/00000000-1111-2222-3333-444444444444/resourceGroups/shop/providers/Microsoft.Compute/virtualMachines/web-1'

@secure()
param token string = '{{token}}'

resource tocsin 'Microsoft.Insights/actionGroups@2023-01-01' = {
  name: 'tocsin'
  location: 'global'
  properties: {
    groupShortName: 'tocsin'
    enabled: true
    webhookReceivers: [
      {
        name: 'tocsin'
        serviceUri: '{{url}}?token=${token}'
        useCommonAlertSchema: true
      }
    ]
  }
}

// `autoMitigate: true`: Azure says when it is over.
resource cpu 'Microsoft.Insights/metricAlerts@2018-03-01' = {
  name: 'web-cpu'
  location: 'global'
  properties: {
    description: 'CPU of a web server. Runbook https://wiki.example.net/web-cpu'
    severity: 1
    enabled: true
    autoMitigate: true
    scopes: [vm]
    evaluationFrequency: 'PT1M'
    windowSize: 'PT5M'
    criteria: {
      'odata.type': 'Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria'
      allOf: [
        {
          criterionType: 'StaticThresholdCriterion'
          name: 'cpu'
          metricNamespace: 'Microsoft.Compute/virtualMachines'
          metricName: 'Percentage CPU'
          operator: 'GreaterThan'
          threshold: 90
          timeAggregation: 'Average'
        }
      ]
    }
    actions: [{ actionGroupId: tocsin.id }]
  }
}

// Resource health, all of its states: only `Available` says that it is over.
resource health 'Microsoft.Insights/activityLogAlerts@2020-10-01' = {
  name: 'resource-health'
  location: 'global'
  properties: {
    enabled: true
    scopes: [subscription().id]
    condition: { allOf: [{ field: 'category', equals: 'ResourceHealth' }] }
    actions: { actionGroups: [{ actionGroupId: tocsin.id }] }
  }
}

// Service health, all stages of an incident: `Resolved` says that it is over.
resource service 'Microsoft.Insights/activityLogAlerts@2020-10-01' = {
  name: 'service-health'
  location: 'global'
  properties: {
    enabled: true
    scopes: [subscription().id]
    condition: {
      allOf: [
        { field: 'category', equals: 'ServiceHealth' }
        { field: 'properties.incidentType', equals: 'Incident' }
      ]
    }
    actions: { actionGroups: [{ actionGroupId: tocsin.id }] }
  }
}
