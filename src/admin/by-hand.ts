/** What whoever runs the gateway does to servers by hand, and the log's word of it. */
import type { BackendId, Registry } from '../../backends/index.js'
import { serverNamesOf } from '../../backends/index.js'
import type { AdminParts } from '../http/admin-app.js'
import type { Logger } from '../telemetry/logging.js'
import type { Variants } from '../variants/variants.js'

export function actionsByHand(
  registry: Registry,
  variants: Variants,
  audit: Logger,
): Pick<AdminParts, 'reconnect' | 'restore'> {
  return {
    reconnect: (id) => {
      const backend = registry.get(id as BackendId)
      if (backend === undefined) return false
      audit.warn(serverNamesOf(backend.target), 'connected anew by hand')
      backend.reconnect()
      return true
    },
    restore: (id) => {
      const isThere = variants.restore(id as BackendId)
      if (isThere) audit.warn({ target: id }, 'restored by hand')
      return isThere
    },
  }
}
