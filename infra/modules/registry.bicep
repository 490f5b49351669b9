// The registry of the service's image. azd builds in it, so that no laptop needs a container engine.

param name string
param location string
param tags object
param size string

@description('Object id of the identity that pulls the image.')
param pullerPrincipalId string

var acrPull = subscriptionResourceId('Microsoft.Authorization/roleDefinitions', '7f951dda-4ed3-4680-a7ca-43fe172d538d')

resource registry 'Microsoft.ContainerRegistry/registries@2025-04-01' = {
  // checkov:skip=CKV_AZURE_139:Only the Premium tier has private endpoints, and azd's builds come in over the public one; nobody pulls or pushes without an Entra token.
  // checkov:skip=CKV_AZURE_163:Scanning is Defender for Containers, a plan of the subscription and no property of the registry; CI scans what goes into the image.
  // checkov:skip=CKV_AZURE_166:Quarantine needs the Premium tier and an outside scanner that releases images; one image, built here from locked hashes, comes through.
  name: replace(name, '-', '')
  location: location
  tags: tags
  sku: {
    name: size == 'standard' ? 'Standard' : 'Basic'
  }
  properties: {
    adminUserEnabled: false
    anonymousPullEnabled: false
  }
}

resource pull 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(registry.id, pullerPrincipalId, acrPull)
  scope: registry
  properties: {
    roleDefinitionId: acrPull
    principalId: pullerPrincipalId
    principalType: 'ServicePrincipal'
  }
}

output loginServer string = registry.properties.loginServer
