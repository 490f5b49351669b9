// The container registry. azd builds the image in it, so that no laptop needs a container engine.

param name string
param location string
param tags object
param size string

@description('Object ID of the identity that pulls the image.')
param pullerPrincipalId string

var acrPull = subscriptionResourceId('Microsoft.Authorization/roleDefinitions', '7f951dda-4ed3-4680-a7ca-43fe172d538d')

resource registry 'Microsoft.ContainerRegistry/registries@2025-04-01' = {
  // checkov:skip=CKV_AZURE_139:Only the Premium tier has private endpoints, and azd's builds use the public one; pulling and pushing require an Entra token.
  // checkov:skip=CKV_AZURE_163:Defender for Containers does the scanning, and it is a subscription plan rather than a registry property; the image installs hash-locked packages only, and each release publishes an SBOM.
  // checkov:skip=CKV_AZURE_166:Quarantine needs the Premium tier and an external scanner that releases images; this registry holds one image, built here from locked hashes.
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
