// The Container Apps environment. Its ingress is public because Teams calls the bot from outside; who
// calls is proven by the signature of each request, in the service.

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
    // With workload profiles, init containers can use managed identities; without them they cannot.
    workloadProfiles: [
      {
        name: 'Consumption'
        workloadProfileType: 'Consumption'
      }
    ]
    zoneRedundant: size == 'standard'
    // Through diagnostic settings, so that no key of the workspace is needed.
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
