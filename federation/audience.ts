/** Those who are told when lists change: each of the lists that it sees itself, and of nothing else. */
import type { View } from './view.js'

/** The lists clients can be told have changed; templates are told of as resources. */
export type ChangedList = 'tools' | 'prompts' | 'resources'

export type ListListener = (changed: readonly ChangedList[]) => void

type Lists = View['lists']

interface Entry {
  /** What the listener sees now. */
  readonly lists: () => Lists
  told: Lists
}

export class Audience {
  readonly #entries = new Map<ListListener, Entry>()

  /** Calls `listener` with what changes of `lists`. Returns the way to stop. */
  add(listener: ListListener, lists: () => Lists): () => void {
    this.#entries.set(listener, { lists, told: lists() })
    return () => this.#entries.delete(listener)
  }

  get isEmpty(): boolean {
    return this.#entries.size === 0
  }

  /** Tells the listeners which lists they see changed since they were last told. */
  announce(): void {
    // Most of them saw the same before, and see the same now: long texts are compared once.
    const known = new Map<Lists, Map<Lists, readonly ChangedList[]>>()
    for (const [listener, entry] of this.#entries) {
      const before = entry.told
      const lists = entry.lists()
      entry.told = lists
      const verdicts = known.get(before) ?? new Map<Lists, readonly ChangedList[]>()
      known.set(before, verdicts)
      const changed = verdicts.get(lists) ?? changedLists(before, lists)
      verdicts.set(lists, changed)
      if (changed.length > 0) listener(changed)
    }
  }
}

function changedLists(before: Lists, now: Lists): readonly ChangedList[] {
  return (['tools', 'prompts', 'resources'] as const).filter(
    (kind) =>
      now[kind] !== before[kind] || (kind === 'resources' && now.templates !== before.templates),
  )
}
