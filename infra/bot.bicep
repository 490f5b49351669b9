// The service itself, and what watches it. `azd deploy` runs this with the image it has just built;
// main.bicep has laid down everything that is named here as existing.

param environmentName string
param location string

@description('What the names of all resources begin with; main.bicep made it up.')
param name string

param size string

@description('The image to run, with its registry and tag.')
param imageName string

param appId string
param appType string

@description('true if the client secret is in the key vault.')
param withSecret string

param oauthConnection string
param tenantIds string
param requesters string
param approvers string
param runAs string
param approvals string
param notifications string

var tags = {
  'azd-env-name': environmentName
  'azd-service-name': 'bot'
}
var port = 3978
// Debian's certificate authorities: libpq checks the server's name and certificate against them.
var authorities = '/etc/ssl/certs/ca-certificates.crt'
var sizes = {
  small: {
    cpu: '0.5'
    memory: '1Gi'
    minReplicas: 1
    maxReplicas: 1
  }
  standard: {
    cpu: '1.0'
    memory: '2Gi'
    minReplicas: 2
    maxReplicas: 3
  }
}

resource apps 'Microsoft.App/managedEnvironments@2025-01-01' existing = {
  name: '${name}-environment'
}

resource registry 'Microsoft.ContainerRegistry/registries@2025-04-01' existing = {
  name: replace(name, '-', '')
}

resource botIdentity 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' existing = {
  name: '${name}-bot'
}

resource databaseIdentity 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' existing = {
  name: '${name}-database'
}

resource server 'Microsoft.DBforPostgreSQL/flexibleServers@2025-08-01' existing = {
  name: '${name}-database'
}

resource bot 'Microsoft.App/containerApps@2025-01-01' = {
  name: 'offhook'
  location: location
  tags: tags
  identity: {
    type: 'UserAssigned'
    userAssignedIdentities: {
      '${botIdentity.id}': {}
      '${databaseIdentity.id}': {}
    }
  }
  properties: {
    managedEnvironmentId: apps.id
    workloadProfileName: 'Consumption'
    configuration: {
      activeRevisionsMode: 'Single'
      // The running service cannot get a token of the database's administrator.
      identitySettings: [
        {
          identity: botIdentity.id
          lifecycle: 'Main'
        }
        {
          identity: databaseIdentity.id
          lifecycle: 'Init'
        }
      ]
      registries: [
        {
          server: registry.properties.loginServer
          identity: botIdentity.id
        }
      ]
      secrets: withSecret == 'true' ? [
        {
          name: 'app-password'
          keyVaultUrl: 'https://${name}${environment().suffixes.keyvaultDns}/secrets/app-password'
          identity: botIdentity.id
        }
      ] : []
      ingress: {
        external: true
        targetPort: port
        transport: 'http'
        allowInsecure: false
        clientCertificateMode: 'ignore'
      }
    }
    template: {
      // A batch that is being sent is finished first: up to a minute, and then what hangs on it.
      terminationGracePeriodSeconds: 120
      initContainers: [
        {
          name: 'database'
          image: imageName
          command: [
            'python'
            'prepare_database.py'
          ]
          args: [
            '--host'
            server.properties.fullyQualifiedDomainName
            '--administrator'
            databaseIdentity.name
            '--administrator-client-id'
            databaseIdentity.properties.clientId
            '--service'
            botIdentity.name
            '--service-object-id'
            botIdentity.properties.principalId
          ]
          resources: {
            cpu: json('0.25')
            memory: '0.5Gi'
          }
        }
      ]
      containers: [
        {
          name: 'bot'
          image: imageName
          resources: {
            cpu: json(sizes[size].cpu)
            memory: sizes[size].memory
          }
          env: concat([
            {
              name: 'OFFHOOK_ENVIRONMENT'
              value: 'production'
            }
            {
              name: 'OFFHOOK_HOST'
              value: '0.0.0.0'
            }
            {
              name: 'OFFHOOK_PORT'
              value: string(port)
            }
            {
              name: 'OFFHOOK_GATEWAY'
              value: 'configapi'
            }
            {
              name: 'OFFHOOK_DATABASE_URL'
              value: 'postgresql://${botIdentity.name}@${server.properties.fullyQualifiedDomainName}:5432/offhook?sslmode=verify-full&sslrootcert=${authorities}'
            }
            {
              name: 'OFFHOOK_DATABASE_AUTH'
              value: 'entra'
            }
            {
              name: 'OFFHOOK_MANAGED_IDENTITY'
              value: botIdentity.properties.clientId
            }
            {
              name: 'OFFHOOK_APP_ID'
              value: appId
            }
            {
              name: 'OFFHOOK_APP_TYPE'
              value: appType
            }
            {
              name: 'OFFHOOK_OAUTH_CONNECTION'
              value: oauthConnection
            }
            {
              name: 'OFFHOOK_TENANT_IDS'
              value: tenantIds
            }
            {
              name: 'OFFHOOK_REQUESTERS'
              value: requesters
            }
            {
              name: 'OFFHOOK_APPROVERS'
              value: approvers
            }
            {
              name: 'OFFHOOK_RUN_AS'
              value: runAs
            }
            {
              name: 'OFFHOOK_APPROVALS'
              value: approvals
            }
            {
              name: 'OFFHOOK_NOTIFICATIONS'
              value: notifications
            }
          ], withSecret == 'true' ? [
            {
              name: 'OFFHOOK_APP_PASSWORD'
              secretRef: 'app-password'
            }
          ] : [])
          probes: [
            {
              type: 'Startup'
              httpGet: {
                path: '/livez'
                port: port
              }
              periodSeconds: 5
              timeoutSeconds: 3
              failureThreshold: 10
            }
            {
              type: 'Liveness'
              httpGet: {
                path: '/livez'
                port: port
              }
              periodSeconds: 10
              timeoutSeconds: 3
              failureThreshold: 3
            }
            {
              type: 'Readiness'
              httpGet: {
                path: '/readyz'
                port: port
              }
              periodSeconds: 5
              timeoutSeconds: 3
              failureThreshold: 3
            }
          ]
        }
      ]
      // Never zero: the loops that follow batches live in the service.
      scale: {
        minReplicas: sizes[size].minReplicas
        maxReplicas: sizes[size].maxReplicas
        rules: [
          {
            name: 'requests'
            http: {
              metadata: {
                concurrentRequests: '50'
              }
            }
          }
        ]
      }
    }
  }
}

module alerts 'modules/alerts.bicep' = {
  name: 'alerts'
  params: {
    name: name
    location: location
    tags: {
      'azd-env-name': environmentName
    }
    appId: bot.id
    appName: bot.name
    address: bot.properties.configuration.ingress.fqdn
    serverId: server.id
  }
}

output DEPLOY_ADDRESS string = 'https://${bot.properties.configuration.ingress.fqdn}'
