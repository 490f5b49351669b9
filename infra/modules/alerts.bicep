// Alerts. docs/operations.md has a runbook for each, under the alert's name.

param name string
param location string
param tags object

@description('Resource ID and name of the container app.')
param appId string
param appName string

@description('Public host name of Offhook.')
param address string

@description('Resource ID of the database server.')
param serverId string

resource insights 'Microsoft.Insights/components@2020-02-02' existing = {
  name: '${name}-insights'
}

resource people 'Microsoft.Insights/actionGroups@2023-01-01' existing = {
  name: '${name}-people'
}

resource outside 'Microsoft.Insights/webtests@2022-06-15' = {
  name: '${name}-reachable'
  location: location
  tags: union(tags, {
    'hidden-link:${insights.id}': 'Resource'
  })
  kind: 'standard'
  properties: {
    SyntheticMonitorId: '${name}-reachable'
    Name: '${name}-reachable'
    Description: 'Checks from outside that Offhook and its database respond.'
    Enabled: true
    Frequency: 300
    Timeout: 30
    Kind: 'standard'
    RetryEnabled: true
    Locations: [
      {
        Id: 'emea-nl-ams-azr'
      }
      {
        Id: 'us-va-ash-azr'
      }
      {
        Id: 'apac-sg-sin-azr'
      }
    ]
    Request: {
      RequestUrl: 'https://${address}/readyz'
      HttpVerb: 'GET'
      FollowRedirects: false
      ParseDependentRequests: false
    }
    ValidationRules: {
      ExpectedHttpStatusCode: 200
      SSLCheck: true
      SSLCertRemainingLifetimeCheck: 7
    }
  }
}

resource unreachable 'Microsoft.Insights/metricAlerts@2018-03-01' = {
  name: '${name}-unreachable'
  location: 'global'
  tags: union(tags, {
    'hidden-link:${insights.id}': 'Resource'
    'hidden-link:${outside.id}': 'Resource'
  })
  properties: {
    description: 'Offhook or its database does not respond to two of three test locations.'
    severity: 1
    enabled: true
    scopes: [
      outside.id
      insights.id
    ]
    evaluationFrequency: 'PT5M'
    windowSize: 'PT15M'
    criteria: {
      'odata.type': 'Microsoft.Azure.Monitor.WebtestLocationAvailabilityCriteria'
      webTestId: outside.id
      componentId: insights.id
      failedLocationCount: 2
    }
    actions: [
      {
        actionGroupId: people.id
      }
    ]
  }
}

resource failing 'Microsoft.Insights/metricAlerts@2018-03-01' = {
  name: '${name}-failing'
  location: 'global'
  tags: tags
  properties: {
    description: 'Offhook answers requests with server errors.'
    severity: 2
    enabled: true
    scopes: [
      appId
    ]
    evaluationFrequency: 'PT5M'
    windowSize: 'PT15M'
    criteria: {
      'odata.type': 'Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria'
      allOf: [
        {
          criterionType: 'StaticThresholdCriterion'
          name: 'server-errors'
          metricNamespace: 'Microsoft.App/containerapps'
          metricName: 'Requests'
          dimensions: [
            {
              name: 'statusCodeCategory'
              operator: 'Include'
              values: [
                '5xx'
              ]
            }
          ]
          timeAggregation: 'Total'
          operator: 'GreaterThan'
          threshold: 5
        }
      ]
    }
    actions: [
      {
        actionGroupId: people.id
      }
    ]
  }
}

resource restarting 'Microsoft.Insights/metricAlerts@2018-03-01' = {
  name: '${name}-restarting'
  location: 'global'
  tags: tags
  properties: {
    description: 'A replica of Offhook keeps restarting.'
    severity: 2
    enabled: true
    scopes: [
      appId
    ]
    evaluationFrequency: 'PT5M'
    windowSize: 'PT15M'
    criteria: {
      'odata.type': 'Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria'
      allOf: [
        {
          criterionType: 'StaticThresholdCriterion'
          name: 'restarts'
          metricNamespace: 'Microsoft.App/containerapps'
          metricName: 'RestartCount'
          timeAggregation: 'Maximum'
          operator: 'GreaterThan'
          threshold: 2
        }
      ]
    }
    actions: [
      {
        actionGroupId: people.id
      }
    ]
  }
}

resource full 'Microsoft.Insights/metricAlerts@2018-03-01' = {
  name: '${name}-database-full'
  location: 'global'
  tags: tags
  properties: {
    description: 'The database disk is nearly full, although it grows automatically.'
    severity: 2
    enabled: true
    scopes: [
      serverId
    ]
    evaluationFrequency: 'PT15M'
    windowSize: 'PT1H'
    criteria: {
      'odata.type': 'Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria'
      allOf: [
        {
          criterionType: 'StaticThresholdCriterion'
          name: 'storage'
          metricNamespace: 'Microsoft.DBforPostgreSQL/flexibleServers'
          metricName: 'storage_percent'
          timeAggregation: 'Average'
          operator: 'GreaterThan'
          threshold: 85
        }
      ]
    }
    actions: [
      {
        actionGroupId: people.id
      }
    ]
  }
}

module logs 'log-alerts.bicep' = {
  name: 'log-alerts'
  params: {
    name: name
    location: location
    tags: tags
    appName: appName
  }
}
