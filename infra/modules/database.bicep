// PostgreSQL without passwords or a public address. infra/prepare_database.py creates the database, its
// schema, and Offhook's login.

param name string
param location string
param tags object
param size string

@description('The delegated subnet of the server.')
param subnetId string
param privateDnsZoneId string

@description('Name and object ID of the identity that administers the server.')
param administratorName string
param administratorPrincipalId string

param workspaceId string

var sizes = {
  small: {
    tier: 'Burstable'
    sku: 'Standard_B1ms'
    standby: 'Disabled'
    backupDays: 7
    geoBackup: 'Disabled'
  }
  standard: {
    tier: 'GeneralPurpose'
    sku: 'Standard_D2ds_v5'
    standby: 'ZoneRedundant'
    backupDays: 35
    geoBackup: 'Enabled'
  }
}

resource server 'Microsoft.DBforPostgreSQL/flexibleServers@2025-08-01' = {
  name: '${name}-database'
  location: location
  tags: tags
  sku: {
    name: sizes[size].sku
    tier: sizes[size].tier
  }
  properties: {
    version: '17'
    createMode: 'Default'
    authConfig: {
      activeDirectoryAuth: 'Enabled'
      passwordAuth: 'Disabled'
      tenantId: tenant().tenantId
    }
    network: {
      delegatedSubnetResourceId: subnetId
      privateDnsZoneArmResourceId: privateDnsZoneId
      publicNetworkAccess: 'Disabled'
    }
    storage: {
      storageSizeGB: 32
      autoGrow: 'Enabled'
    }
    backup: {
      backupRetentionDays: sizes[size].backupDays
      geoRedundantBackup: sizes[size].geoBackup
    }
    highAvailability: {
      mode: sizes[size].standby
    }
  }
}

resource administrator 'Microsoft.DBforPostgreSQL/flexibleServers/administrators@2025-08-01' = {
  parent: server
  name: administratorPrincipalId
  properties: {
    principalName: administratorName
    principalType: 'ServicePrincipal'
    tenantId: tenant().tenantId
  }
}

resource logs 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'logs'
  scope: server
  properties: {
    workspaceId: workspaceId
    logs: [
      {
        category: 'PostgreSQLLogs'
        enabled: true
      }
    ]
  }
}
