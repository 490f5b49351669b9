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

// Offhook logs one JSON object per line; `event` says what happened, `batch` to which batch.
var entries = 'ContainerAppConsoleLogs | where ContainerAppName == "${appName}" | extend entry = parse_json(Log) | extend event = tostring(entry.event), batch = tostring(entry.batch)'

resource workspace 'Microsoft.OperationalInsights/workspaces@2025-02-01' existing = {
  name: '${name}-logs'
}

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

// The five rules below query the logs. Their table does not exist until the first line arrives, so query
// validation is off.

resource doubtful 'Microsoft.Insights/scheduledQueryRules@2023-12-01' = {
  name: '${name}-batch-needs-a-person'
  location: location
  tags: tags
  kind: 'LogAlert'
  properties: {
    displayName: 'Offhook: a batch needs a person'
    description: 'For 15 minutes, nobody has known whether a batch ran. It occupies a slot in its region until an approver answers its card.'
    severity: 2
    enabled: true
    scopes: [
      workspace.id
    ]
    evaluationFrequency: 'PT15M'
    windowSize: 'P1D'
    skipQueryValidation: true
    autoMitigate: true
    criteria: {
      allOf: [
        {
          query: '${entries} | summarize unknown = maxif(TimeGenerated, event == "batch.marked_unknown"), settled = maxif(TimeGenerated, event in ("batch.matched", "batch.submitted", "batch.not_run", "batch.completed")) by batch | where unknown < ago(15m) and (isnull(settled) or settled < unknown)'
          timeAggregation: 'Count'
          operator: 'GreaterThan'
          threshold: 0
          failingPeriods: {
            numberOfEvaluationPeriods: 1
            minFailingPeriodsToAlert: 1
          }
        }
      ]
    }
    actions: {
      actionGroups: [
        people.id
      ]
    }
  }
}

resource undelivered 'Microsoft.Insights/scheduledQueryRules@2023-12-01' = {
  name: '${name}-messages-undelivered'
  location: location
  tags: tags
  kind: 'LogAlert'
  properties: {
    displayName: 'Offhook: messages are not delivered'
    description: 'Cards and notifications are waiting in the outbox because Teams does not accept them.'
    severity: 2
    enabled: true
    scopes: [
      workspace.id
    ]
    evaluationFrequency: 'PT15M'
    windowSize: 'P1D'
    skipQueryValidation: true
    autoMitigate: true
    criteria: {
      allOf: [
        {
          // An outage is one chat.unavailable, and chat.recovered once it is over; a process that starts
          // logs its own. The others are logged once for each message.
          query: '${entries} | summarize unavailable = maxif(TimeGenerated, event == "chat.unavailable"), available = maxif(TimeGenerated, event in ("chat.recovered", "service.started")), undelivered = countif(TimeGenerated > ago(15m) and event in ("publisher.dead_lettered", "publisher.conversation_unknown", "chat.refused")) | where undelivered > 10 or (unavailable < ago(15m) and (isnull(available) or available < unavailable))'
          timeAggregation: 'Count'
          operator: 'GreaterThan'
          threshold: 0
          failingPeriods: {
            numberOfEvaluationPeriods: 1
            minFailingPeriodsToAlert: 1
          }
        }
      ]
    }
    actions: {
      actionGroups: [
        people.id
      ]
    }
  }
}

resource faults 'Microsoft.Insights/scheduledQueryRules@2023-12-01' = {
  name: '${name}-faults'
  location: location
  tags: tags
  kind: 'LogAlert'
  properties: {
    displayName: 'Offhook: unexpected failures'
    description: 'A background loop, or the handling of a message, failed unexpectedly.'
    severity: 3
    enabled: true
    scopes: [
      workspace.id
    ]
    evaluationFrequency: 'PT15M'
    windowSize: 'PT1H'
    skipQueryValidation: true
    autoMitigate: true
    criteria: {
      allOf: [
        {
          query: '${entries} | where event in ("worker.task_failed", "worker.round_failed", "publisher.delivery_failed", "card.failed", "publisher.round_failed", "deadlines.round_failed", "turn.failed", "request.digest_mismatched", "batch.digest_mismatched")'
          timeAggregation: 'Count'
          operator: 'GreaterThan'
          threshold: 0
          failingPeriods: {
            numberOfEvaluationPeriods: 1
            minFailingPeriodsToAlert: 1
          }
        }
      ]
    }
    actions: {
      actionGroups: [
        people.id
      ]
    }
  }
}

resource held 'Microsoft.Insights/scheduledQueryRules@2023-12-01' = {
  name: '${name}-request-held'
  location: location
  tags: tags
  kind: 'LogAlert'
  properties: {
    displayName: 'Offhook: an approved request is held'
    description: 'For an hour, nothing of an approved request has been sent, because its accounts fail checks that its approver did not see. An approver has to decide on its progress card.'
    severity: 2
    enabled: true
    scopes: [
      workspace.id
    ]
    evaluationFrequency: 'PT15M'
    windowSize: 'P1D'
    skipQueryValidation: true
    autoMitigate: true
    criteria: {
      allOf: [
        {
          query: '${entries} | extend request = tostring(entry.request) | summarize held = maxif(TimeGenerated, event == "accounts.checked_again" and tobool(entry.held)), decided = maxif(TimeGenerated, event in ("audit.continued_without", "audit.accounts_to_be_checked", "audit.cancel_asked")) by request | where held < ago(1h) and (isnull(decided) or decided < held)'
          timeAggregation: 'Count'
          operator: 'GreaterThan'
          threshold: 0
          failingPeriods: {
            numberOfEvaluationPeriods: 1
            minFailingPeriodsToAlert: 1
          }
        }
      ]
    }
    actions: {
      actionGroups: [
        people.id
      ]
    }
  }
}

resource tampered 'Microsoft.Insights/scheduledQueryRules@2023-12-01' = {
  name: '${name}-audit-broken'
  location: location
  tags: tags
  kind: 'LogAlert'
  properties: {
    displayName: 'Offhook: the audit was changed'
    description: 'The chain of the audit is broken: somebody who can write to the database has changed, deleted, added, or moved what it records.'
    severity: 1
    enabled: true
    scopes: [
      workspace.id
    ]
    evaluationFrequency: 'PT15M'
    windowSize: 'PT2H'
    skipQueryValidation: true
    autoMitigate: true
    criteria: {
      allOf: [
        {
          // Logged again each hour until Offhook is restarted.
          query: '${entries} | where event == "audit.broken"'
          timeAggregation: 'Count'
          operator: 'GreaterThan'
          threshold: 0
          failingPeriods: {
            numberOfEvaluationPeriods: 1
            minFailingPeriodsToAlert: 1
          }
        }
      ]
    }
    actions: {
      actionGroups: [
        people.id
      ]
    }
  }
}
