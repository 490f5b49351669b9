// Two identities, so that the running service cannot do what only its preparation needs.

param name string
param location string
param tags object

@description('What the service is in Azure: it pulls its image, reads its secret, and speaks for the bot.')
resource bot 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' = {
  name: '${name}-bot'
  location: location
  tags: tags
}

@description('Administrator of the database. Only the init container can use it.')
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
