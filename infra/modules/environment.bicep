// The Container Apps environment. Its ingress is public because Teams calls the bot from outside; Offhook
// authenticates each request by its signature.

param name string
param location string
param tags object
param size string
param subnetId string
param workspaceId string

resource apps 'Microsoft.App/managedEnvironments@2025-01-01' = {
  name: '${name}-environment'
  location: location
  tags: tags
  properties: {
    vnetConfiguration: {
      infrastructureSubnetId: subnetId
      internal: false
    }
    // Init containers can use managed identities only in an environment with workload profiles.
    workloadProfiles: [
      {
        name: 'Consumption'
        workloadProfileType: 'Consumption'
      }
    ]
    zoneRedundant: size == 'standard'
    // Uses diagnostic settings, which need no workspace key.
    appLogsConfiguration: {
      destination: 'azure-monitor'
    }
  }
}

resource logs 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'logs'
  scope: apps
  properties: {
    workspaceId: workspaceId
    logs: [
      {
        categoryGroup: 'allLogs'
        enabled: true
      }
    ]
  }
}

output defaultDomain string = apps.properties.defaultDomain
