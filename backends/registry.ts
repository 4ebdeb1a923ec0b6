/** The live set of backends: takes whole snapshots of wanted targets and applies the difference. */
import type { BackendContext, BackendListener } from './backend.js'
import { Backend } from './backend.js'
import type { Caller } from './call.js'
import type { BackendId, Target } from './target.js'
import { idOf, sameTarget } from './target.js'

export interface RegistryListener extends BackendListener {
  onAdded(backend: Backend): void
  onRemoved(backend: Backend): void
}

/** What a snapshot changed. */
export interface RegistryChange {
  readonly added: readonly BackendId[]
  readonly changed: readonly BackendId[]
  readonly removed: readonly BackendId[]
}

/** Calls still running at a target that is gone get this long. */
const RETIRE_MS = 30_000

export class Registry {
  readonly #context: BackendContext
  readonly #listener: RegistryListener
  #backends = new Map<BackendId, Backend>()
  /** No longer wanted, and still finishing what they were asked. */
  readonly #retiring = new Set<Backend>()

  constructor(context: BackendContext, listener: RegistryListener) {
    this.#context = context
    this.#listener = listener
  }

  /** In the order of the last snapshot. */
  get backends(): readonly Backend[] {
    return [...this.#backends.values()]
  }

  get(id: BackendId): Backend | undefined {
    return this.#backends.get(id)
  }

  /** Connects what is new, keeps what is equal, retires what is gone or changed. Returns what it did. */
  apply(targets: readonly Target[]): RegistryChange {
    const before = this.#backends
    this.#backends = new Map()
    const added: Backend[] = []
    for (const target of targets) {
      const id = idOf(target)
      const known = before.get(id)
      if (known !== undefined && sameTarget(known.target, target)) {
        this.#backends.set(id, known)
        continue
      }
      const backend = new Backend(target, this.#context, this.#listener)
      this.#backends.set(id, backend)
      added.push(backend)
    }
    for (const [id, backend] of before) {
      const now = this.#backends.get(id)
      if (now !== backend) this.#retire(backend, now)
    }
    for (const backend of added) {
      this.#listener.onAdded(backend)
      backend.start()
    }
    const ids = added.map((it) => idOf(it.target))
    return {
      added: ids.filter((id) => !before.has(id)),
      changed: ids.filter((id) => before.has(id)),
      removed: [...before.keys()].filter((id) => !this.#backends.has(id)),
    }
  }

  /** A caller is gone: its sessions end at all servers. */
  release(callerKey: string): void {
    for (const backend of this.#all) backend.release(callerKey)
  }

  /** The same, for good: what other processes may use ends as well. */
  end(caller: Caller): void {
    this.release(caller.key)
    for (const [id, place] of caller.places ?? []) void this.get(id)?.end(place, caller)
  }

  async close(): Promise<void> {
    await Promise.all(this.#all.map((backend) => backend.close()))
  }

  get #all(): readonly Backend[] {
    return [...this.#backends.values(), ...this.#retiring]
  }

  #retire(backend: Backend, heir: Backend | undefined): void {
    this.#listener.onRemoved(backend)
    this.#retiring.add(backend)
    void backend.retire(RETIRE_MS, heir).then(() => this.#retiring.delete(backend))
  }
}
