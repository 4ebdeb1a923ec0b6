/** What can be wrong with a request before any backend is asked. */

export type ItemKind = 'tool' | 'prompt' | 'resource' | 'task'

/** Absent and denied alike: one wording, so that nobody can tell them apart. */
export class UnknownItemError extends Error {
  readonly code = 'ERR_UNKNOWN_ITEM'
  readonly kind: ItemKind
  readonly item: string
  /** It is there, and a permit forbids it. Not for callers. */
  readonly isDenied: boolean

  constructor(kind: ItemKind, item: string, isDenied = false) {
    super(`Unknown ${kind}: ${item.slice(0, 256)}`)
    this.kind = kind
    this.isDenied = isDenied
    this.item = item
  }
}

/** Several backends own what was asked for. Guessing would send a request where it was not meant to go. */
export class AmbiguousItemError extends Error {
  readonly code = 'ERR_AMBIGUOUS_ITEM'
  readonly candidates: readonly string[]

  constructor(kind: ItemKind, item: string, candidates: readonly string[]) {
    super(
      `Ambiguous ${kind}: ${item.slice(0, 256)} is served by several backends; use one of ${candidates.slice(0, 10).join(', ')}`,
    )
    this.candidates = candidates
  }
}

export class InvalidParamsError extends Error {
  readonly code = 'ERR_INVALID_PARAMS'
}

export class UnknownMethodError extends Error {
  readonly code = 'ERR_UNKNOWN_METHOD'
}

/** A target whose part of a list is missing or old. `since` is ISO 8601. */
export interface Unavailable {
  readonly target: string
  readonly reason: string
  readonly since: string
}

/** There is nothing to serve a list from, or the failure mode is closed and a part is missing. */
export class ListUnavailableError extends Error {
  readonly code = 'ERR_LIST_UNAVAILABLE'
  readonly unavailable: readonly Unavailable[]

  constructor(unavailable: readonly Unavailable[]) {
    super(`No list can be served: ${unavailable.map((it) => it.target).join(', ')} unavailable`)
    this.unavailable = unavailable
  }
}
