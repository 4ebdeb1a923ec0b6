/** The live set of backends: takes whole snapshots of wanted targets and applies the difference. */
import type { BackendListener } from './backend.js'
import { Backend } from './backend.js'
import type { Target, TargetName } from './target.js'
import { sameTarget } from './target.js'
import type { JsonObject } from './wire/raw-json.js'

export interface RegistryListener extends BackendListener {
  onAdded(backend: Backend): void
  onRemoved(backend: Backend): void
}

export class Registry {
  readonly #clientInfo: JsonObject
  readonly #listener: RegistryListener
  #backends = new Map<TargetName, Backend>()

  /** `clientInfo` is how the gateway introduces itself to servers. */
  constructor(clientInfo: JsonObject, listener: RegistryListener) {
    this.#clientInfo = clientInfo
    this.#listener = listener
  }

  /** In the order of the last snapshot. */
  get backends(): readonly Backend[] {
    return [...this.#backends.values()]
  }

  get(name: TargetName): Backend | undefined {
    return this.#backends.get(name)
  }

  /** Connects what is new, keeps what is equal, closes what is gone or changed. */
  apply(targets: readonly Target[]): void {
    const before = this.#backends
    this.#backends = new Map()
    const added: Backend[] = []
    for (const target of targets) {
      const known = before.get(target.name)
      if (known !== undefined && sameTarget(known.target, target)) {
        this.#backends.set(target.name, known)
        before.delete(target.name)
        continue
      }
      const backend = new Backend(target, this.#clientInfo, this.#listener)
      this.#backends.set(target.name, backend)
      added.push(backend)
    }
    for (const backend of before.values()) {
      this.#listener.onRemoved(backend)
      void backend.close()
    }
    for (const backend of added) {
      this.#listener.onAdded(backend)
      backend.start()
    }
  }

  /** A caller is gone: its sessions end at all servers. */
  release(callerKey: string): void {
    for (const backend of this.#backends.values()) backend.release(callerKey)
  }

  async close(): Promise<void> {
    await Promise.all(this.backends.map((backend) => backend.close()))
  }
}
