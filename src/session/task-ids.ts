/**
 * Ids of tasks as clients see them. Each is sealed around the target that runs the task and the principal whose it is,
 * so any process that has the key finds the task, and nobody else can name it (2025-11-25 basic/utilities/tasks,
 * security considerations).
 */
import type { BackendId, TaskIds, TaskPlace } from '../../backends/index.js'
import { Sealer } from './sealing.js'

export class SealedTaskIds implements TaskIds {
  readonly #sealer: Sealer

  constructor(keys: readonly Buffer[]) {
    this.#sealer = new Sealer(keys, 'task id')
  }

  seal(target: BackendId, taskId: string, principal: string): string {
    return this.#sealer.sealAlike(JSON.stringify({ target, taskId, principal }))
  }

  open(sealed: string, principal: string): TaskPlace | undefined {
    const text = this.#sealer.open(sealed)
    if (text === undefined) return undefined
    // Authenticated by the seal: it is what `seal` wrote.
    const { principal: owner, ...place } = JSON.parse(text) as TaskPlace & { principal: string }
    return owner === principal ? place : undefined
  }
}
