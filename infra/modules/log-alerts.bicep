// Alerts on what Offhook logs. docs/operations.md has a runbook for each, under the alert's name.

param name string
param location string
param tags object

@description('Name of the container app.')
param appName string

// Offhook logs one JSON object per line; `event` says what happened, `request` and `batch` to what.
var entries = 'ContainerAppConsoleLogs | where ContainerAppName == "${appName}" | extend entry = parse_json(Log) | extend event = tostring(entry.event), request = tostring(entry.request), batch = tostring(entry.batch)'

var rules = [
  {
    name: 'batch-needs-a-person'
    title: 'a batch needs a person'
    description: 'For 15 minutes, nobody has known whether a batch ran. It occupies a slot in its region until an approver answers its card.'
    severity: 2
    window: 'P1D'
    query: 'summarize unknown = maxif(TimeGenerated, event == "batch.marked_unknown"), settled = maxif(TimeGenerated, event in ("batch.matched", "batch.submitted", "batch.not_run", "batch.completed")) by batch | where unknown < ago(15m) and (isnull(settled) or settled < unknown)'
  }
  {
    // An outage is one chat.unavailable, and chat.recovered once it is over; a process that starts logs its
    // own. The others are logged once for each message.
    name: 'messages-undelivered'
    title: 'messages are not delivered'
    description: 'Cards and notifications are waiting in the outbox because Teams does not accept them.'
    severity: 2
    window: 'P1D'
    query: 'summarize unavailable = maxif(TimeGenerated, event == "chat.unavailable"), available = maxif(TimeGenerated, event in ("chat.recovered", "service.started")), undelivered = countif(TimeGenerated > ago(15m) and event in ("publisher.dead_lettered", "publisher.conversation_unknown", "chat.refused")) | where undelivered > 10 or (unavailable < ago(15m) and (isnull(available) or available < unavailable))'
  }
  {
    name: 'faults'
    title: 'unexpected failures'
    description: 'A background loop, or the handling of a message, failed unexpectedly.'
    severity: 3
    window: 'PT1H'
    query: 'where event endswith ".round_failed" or event endswith ".digest_mismatched" or event in ("worker.task_failed", "publisher.delivery_failed", "card.failed", "turn.failed", "turn.fault_not_recorded", "start.failed", "preflight.failed", "preflight.read_failed", "mend.pass_failed")'
  }
  {
    name: 'request-held'
    title: 'an approved request is held'
    description: 'For an hour, nothing of an approved request has been sent, because its accounts fail checks that its approver did not see. An approver has to decide on its progress card.'
    severity: 2
    window: 'P1D'
    query: 'summarize held = maxif(TimeGenerated, event == "accounts.checked_again" and tobool(entry.held)), decided = maxif(TimeGenerated, event in ("audit.continued_without", "audit.accounts_to_be_checked", "audit.cancel_asked")) by request | where held < ago(1h) and (isnull(decided) or decided < held)'
  }
  {
    name: 'start-missed'
    title: 'a request did not start at its time'
    description: 'For an hour, an approved request has not been sent, because its set start was missed. An approver has to start or cancel it on its progress card.'
    severity: 2
    window: 'P1D'
    query: 'summarize missed = maxif(TimeGenerated, event == "audit.start_missed"), decided = maxif(TimeGenerated, event in ("audit.start_allowed", "audit.cancel_asked", "audit.withdrawn")) by request | where missed < ago(1h) and (isnull(decided) or decided < missed)'
  }
  {
    name: 'break-glass-used'
    title: 'break-glass was used'
    description: 'Somebody approved their own request, and no other approver has reviewed that yet.'
    severity: 1
    window: 'P1D'
    query: 'summarize used = maxif(TimeGenerated, event == "audit.break-glass_used"), reviewed = maxif(TimeGenerated, event == "audit.break-glass_reviewed") by request | where isnotnull(used) and isnull(reviewed)'
  }
  {
    // Logged again each hour until Offhook is restarted.
    name: 'audit-broken'
    title: 'the audit was changed'
    description: 'The chain of the audit is broken: somebody who can write to the database has changed, deleted, added, or moved what it records.'
    severity: 1
    window: 'PT2H'
    query: 'where event == "audit.broken"'
  }
  {
    // Like an outage of Teams: whichever replica delivers logs its own.
    name: 'audit-webhook-behind'
    title: 'the audit does not reach its webhook'
    description: 'For 15 minutes, the webhook has not accepted events of the audit. They wait in the database.'
    severity: 2
    window: 'P1D'
    query: 'summarize unavailable = maxif(TimeGenerated, event == "webhook.unavailable"), available = maxif(TimeGenerated, event in ("webhook.recovered", "service.started")) | where unavailable < ago(15m) and (isnull(available) or available < unavailable)'
  }
  {
    name: 'policy-invalid'
    title: 'the policy file is wrong'
    description: 'The policy file was changed and is wrong. The last good policy stays in force; a start would be refused.'
    severity: 2
    window: 'P1D'
    query: 'summarize wrong = maxif(TimeGenerated, event == "policy.invalid"), good = maxif(TimeGenerated, event in ("policy.loaded", "service.started")) | where isnotnull(wrong) and (isnull(good) or good < wrong)'
  }
]

resource workspace 'Microsoft.OperationalInsights/workspaces@2025-02-01' existing = {
  name: '${name}-logs'
}

resource people 'Microsoft.Insights/actionGroups@2023-01-01' existing = {
  name: '${name}-people'
}

resource alerts 'Microsoft.Insights/scheduledQueryRules@2023-12-01' = [for rule in rules: {
  name: '${name}-${rule.name}'
  location: location
  tags: tags
  kind: 'LogAlert'
  properties: {
    displayName: 'Offhook: ${rule.title}'
    description: rule.description
    severity: rule.severity
    enabled: true
    scopes: [
      workspace.id
    ]
    evaluationFrequency: 'PT15M'
    windowSize: rule.window
    // The table does not exist until the first line arrives.
    skipQueryValidation: true
    autoMitigate: true
    criteria: {
      allOf: [
        {
          query: '${entries} | ${rule.query}'
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
}]
