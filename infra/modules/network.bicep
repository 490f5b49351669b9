// Offhook's network. Teams reaches Offhook through the environment's public address; the database and the
// key vault, if there is one, have no public address.

param name string
param location string
param tags object

resource closed 'Microsoft.Network/networkSecurityGroups@2024-05-01' = {
  name: '${name}-closed'
  location: location
  tags: tags
  properties: {
    // The default rules suffice: inbound traffic from this network only. Public requests to an external
    // Container Apps environment do not pass through the subnet, so they need no rule.
    securityRules: []
  }
}

resource network 'Microsoft.Network/virtualNetworks@2024-05-01' = {
  name: '${name}-network'
  location: location
  tags: tags
  properties: {
    addressSpace: {
      addressPrefixes: [
        '10.80.0.0/23'
      ]
    }
    subnets: [
      {
        name: 'apps'
        properties: {
          addressPrefix: '10.80.0.0/24'
          networkSecurityGroup: {
            id: closed.id
          }
          delegations: [
            {
              name: 'environments'
              properties: {
                serviceName: 'Microsoft.App/environments'
              }
            }
          ]
        }
      }
      {
        name: 'database'
        properties: {
          addressPrefix: '10.80.1.0/27'
          networkSecurityGroup: {
            id: closed.id
          }
          delegations: [
            {
              name: 'servers'
              properties: {
                serviceName: 'Microsoft.DBforPostgreSQL/flexibleServers'
              }
            }
          ]
        }
      }
      {
        name: 'endpoints'
        properties: {
          addressPrefix: '10.80.1.32/27'
          networkSecurityGroup: {
            id: closed.id
          }
        }
      }
    ]
  }
}

resource databaseZone 'Microsoft.Network/privateDnsZones@2024-06-01' = {
  name: '${name}.private.postgres.database.azure.com'
  location: 'global'
  tags: tags
}

resource databaseZoneLink 'Microsoft.Network/privateDnsZones/virtualNetworkLinks@2024-06-01' = {
  parent: databaseZone
  name: 'network'
  location: 'global'
  tags: tags
  properties: {
    registrationEnabled: false
    virtualNetwork: {
      id: network.id
    }
  }
}

output networkId string = network.id
output appsSubnetId string = '${network.id}/subnets/apps'
output databaseSubnetId string = '${network.id}/subnets/database'
output endpointSubnetId string = '${network.id}/subnets/endpoints'
output databaseDnsZoneId string = databaseZone.id
