// Two identities, so that the running service lacks the permissions that only the init container needs.

param name string
param location string
param tags object

@description('The identity of Offhook in Azure: pulls the image, reads the secret, and authenticates as the bot.')
resource bot 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' = {
  name: '${name}-bot'
  location: location
  tags: tags
}

@description('Database administrator. Available only to the init container.')
resource database 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' = {
  name: '${name}-database'
  location: location
  tags: tags
}

output botId string = bot.id
output botClientId string = bot.properties.clientId
output botPrincipalId string = bot.properties.principalId
output databaseName string = database.name
output databasePrincipalId string = database.properties.principalId
