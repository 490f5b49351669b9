// The Azure Bot: identity, messaging endpoint, Teams channel, and the OAuth connection that approvers
// sign in through.

param name string
param tags object
param botType string
param appId string

@secure()
param appPassword string

@description('Resource ID of the managed identity.')
param identityId string

@description('Default domain of the Container Apps environment.')
param domain string

param workspaceId string

var resourceUri = 'api://botid-${appId}'
var withConnection = botType == 'SingleTenant'
var withSecret = !empty(appPassword)
var providers = {
  federated: 'c00b44ab-5e16-c44c-af26-2fd5bc55eb18' // AAD v2 with Federated Credentials
  secret: '30dd229c-58e3-4a48-bdfd-91ec48eb906c' // Azure Active Directory v2
}
// An arbitrary name that the token service puts into the token it presents to the app registration;
// grant.sh makes the registration trust exactly this subject.
var subject = '${name}-approver'

resource bot 'Microsoft.BotService/botServices@2022-09-15' = {
  name: name
  location: 'global'
  tags: tags
  kind: 'azurebot'
  sku: {
    name: 'F0'
  }
  properties: {
    displayName: 'Offhook'
    description: 'Signs in SIP phones in bulk'
    endpoint: 'https://offhook.${domain}/api/messages'
    msaAppType: botType
    msaAppId: appId
    msaAppTenantId: tenant().tenantId
    msaAppMSIResourceId: botType == 'UserAssignedMSI' ? identityId : ''
    disableLocalAuth: true
    isStreamingSupported: false
    publicNetworkAccess: 'Enabled'
  }
}

resource teams 'Microsoft.BotService/botServices/channels@2022-09-15' = {
  parent: bot
  name: 'MsTeamsChannel'
  location: 'global'
  properties: {
    channelName: 'MsTeamsChannel'
    properties: {
      isEnabled: true
      enableCalling: false
    }
  }
}

resource federated 'Microsoft.BotService/botServices/connections@2022-09-15' = if (withConnection && !withSecret) {
  parent: bot
  name: 'approver'
  location: 'global'
  properties: {
    serviceProviderId: providers.federated
    serviceProviderDisplayName: 'AAD v2 with Federated Credentials'
    clientId: appId
    scopes: '${resourceUri}/access_as_user'
    parameters: [
      {
        key: 'ClientId'
        value: appId
      }
      {
        key: 'UniqueIdentifier'
        value: subject
      }
      {
        key: 'TokenExchangeUrl'
        value: resourceUri
      }
      {
        key: 'TenantId'
        value: tenant().tenantId
      }
    ]
  }
}

resource secret 'Microsoft.BotService/botServices/connections@2022-09-15' = if (withConnection && withSecret) {
  parent: bot
  name: 'approver'
  location: 'global'
  properties: {
    serviceProviderId: providers.secret
    serviceProviderDisplayName: 'Azure Active Directory v2'
    clientId: appId
    clientSecret: appPassword
    scopes: '${resourceUri}/access_as_user'
    parameters: [
      {
        key: 'tokenExchangeUrl'
        value: resourceUri
      }
      {
        key: 'tenantID'
        value: tenant().tenantId
      }
    ]
  }
}

resource logs 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'logs'
  scope: bot
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

output appId string = appId
output connectionName string = withConnection ? 'approver' : ''
output subjectIdentifier string = withConnection && !withSecret ? subject : ''
