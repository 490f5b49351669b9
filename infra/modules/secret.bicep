// A secret that the operator gives: puts it into the key vault. Deployed only if there is one.

@description('Name of the key vault.')
param name string

@description('Name of the secret in it.')
param secretName string

@description('What the secret is, for people who see it listed.')
param contentType string

@secure()
param value string

@description('Object ID of the identity that may read this secret.')
param readerPrincipalId string

@description('When the secret in the vault expires, in seconds since 1970. Each deployment moves it; what the secret opens may expire independently.')
param expires int = dateTimeToEpoch(dateTimeAdd(utcNow(), 'P1Y'))

var secretsUser = subscriptionResourceId('Microsoft.Authorization/roleDefinitions', '4633458b-17de-408a-b874-0445c86b69e6')

resource vault 'Microsoft.KeyVault/vaults@2024-11-01' existing = {
  name: name
}

resource secret 'Microsoft.KeyVault/vaults/secrets@2024-11-01' = {
  parent: vault
  name: secretName
  properties: {
    value: value
    contentType: contentType
    attributes: {
      enabled: true
      exp: expires
    }
  }
}

resource read 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(secret.id, readerPrincipalId, secretsUser)
  scope: secret
  properties: {
    roleDefinitionId: secretsUser
    principalId: readerPrincipalId
    principalType: 'ServicePrincipal'
  }
}
