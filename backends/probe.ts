/** One server on its own, for whoever only wants to have a look at it. */
import { Backend } from './backend.js'
import type { BackendState } from './monitor.js'
import type { Target } from './target.js'
import type { JsonObject } from './wire/raw-json.js'

export interface Probed {
  readonly backend: Backend
  /** The first state that says whether the server can be used. */
  readonly opened: Promise<BackendState>
}

export function probeBackend(target: Target, clientInfo: JsonObject): Probed {
  let found!: (state: BackendState) => void
  const opened = new Promise<BackendState>((resolve) => (found = resolve))
  const taskIds = { seal: (_: string, taskId: string) => taskId, open: () => undefined }
  const backend = new Backend(
    target,
    { clientInfo, taskIds, redact: (text) => text },
    {
      onState: (_, state) => {
        if (state.status !== 'connecting') found(state)
      },
      onListChanged: () => undefined,
      onCircuit: () => undefined,
      onStderr: () => undefined,
      onNoise: () => undefined,
    },
  )
  backend.start()
  return { backend, opened }
}
