/** The definitions of the other gateways' resources, as far as the API server needs them: names, and a status. */
import type { JsonObject } from '../../backends/index.js'

function definition(group: string, kind: string, plural: string): JsonObject {
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.${group}` },
    spec: {
      group,
      scope: 'Namespaced',
      names: { kind, plural, singular: kind.toLowerCase() },
      versions: [
        {
          name: 'v1alpha1',
          served: true,
          storage: true,
          subresources: { status: {} },
          // Without the shape of its members: encoding one ends the API server of the tests (reflect2 and Go 1.19).
          schema: {
            openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
          },
        },
      ],
    },
  }
}

export const KGATEWAY = definition('gateway.kgateway.dev', 'Backend', 'backends')
export const AGENTGATEWAY = definition(
  'agentgateway.dev',
  'AgentgatewayBackend',
  'agentgatewaybackends',
)
