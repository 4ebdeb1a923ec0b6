/** The section `kubernetes`: which cluster, and how Services are read there. */
import { z } from 'zod'

/** A Kubernetes name as it may stand in a path of the API. */
const namespaceName = z
  .string()
  .regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/, 'expected the name of a namespace')

export const kubernetesSchema = z.strictObject({
  kubeconfig: z
    .string()
    .min(1)
    .optional()
    .describe(
      "Path of a kubeconfig, relative to the configuration file. Default: the pod's ServiceAccount in a cluster, else `$KUBECONFIG`, else `~/.kube/config`.",
    ),
  context: z.string().min(1).optional().describe("Context of it. Default: the kubeconfig's own."),
  namespace: namespaceName
    .optional()
    .describe("The own namespace. Default: the pod's or context's, else `default`."),
  address: z
    .enum(['service', 'clusterIP'])
    .prefault('service')
    .describe('Reach a Service by its name in DNS, or by its cluster IP.'),
  clusterDomain: z
    .string()
    .regex(/^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/, 'expected a domain such as cluster.local')
    .prefault('cluster.local')
    .describe('Domain under which the cluster names Services.'),
  externalNames: z
    .boolean()
    .prefault(true)
    .describe(
      'Reach Services of type `ExternalName`, which may name any host, at their external name; `false` refuses them.',
    ),
  backends: z
    .union([z.boolean(), z.literal('namespace')])
    .prefault(false)
    .describe(
      "Watch kgateway's `Backend` and agentgateway's `AgentgatewayBackend` resources: of all namespaces, or with `namespace` of the own one.",
    ),
})

export type KubernetesSettings = z.output<typeof kubernetesSchema>
