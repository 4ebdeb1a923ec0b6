/**
 * What many operations have in common: who asks, for what, and how it ends. It is found once for each operation, and with
 * it all that metrics, the log and the page have made of it: looked up by each of them, that was most of what they cost.
 */
import type { Era, Target } from '../../backends/index.js'
import type { Principal } from '../auth/principal.js'
import type { Speaker } from './speaker.js'
import { isServedMethod } from './served-methods.js'
import { TupleCache } from './tuple-cache.js'
import { cut } from './upstream-operation.js'

/** `failed`: a JSON-RPC error, or the error of a tool (`isError`), told apart by `errorType`. */
export type Outcome = 'ok' | 'failed' | 'denied' | 'limited' | 'cancelled'

/** Who asks, from where, and in which words. */
export interface Party {
  readonly era: Era
  readonly protocolVersion: string
  /** As it calls itself. */
  readonly client: { readonly name: string; readonly version: string }
  /** Without its claims, which are nobody's to see. */
  readonly principal: { readonly id: string; readonly kind: string; readonly name: string }
  readonly address: string
}

/** What is asked for, and how it ends. */
export interface Matter {
  readonly method: string
  /** Of a tool or prompt its exposed name, of a resource its URI; '' for what names nothing. */
  readonly name: string
  /** Whether something of that name is, or was, in the catalog: other names are made up by clients. */
  readonly isKnownName: boolean
  /** Whose it is; '' for what concerns no server, or more than one. */
  readonly target: string
  /** Which of the target's servers was asked, where it has several; else ''. */
  readonly variant: string
  readonly outcome: Outcome
  /** `tool_error`, or the code of a JSON-RPC error; '' where nothing went wrong. */
  readonly errorType: string
}

/** What is made of a kind, each at the place of its `Facet`. */
interface Faceted {
  readonly facets: unknown[]
}

export interface OperationKind extends Party, Matter, Faceted {
  /** What a server was asked in the course of the last of them. */
  upstream: UpstreamKind | undefined
}

/** What is asked of a server, and how it ends. */
export interface UpstreamWords {
  readonly target: Target
  readonly protocolVersion: string
  readonly method: string
  /** As the server knows it; '' for what names nothing. */
  readonly name: string
  /** `tool_error`, the code of a JSON-RPC error, or what kept the server from answering; '' where nothing did. */
  readonly errorType: string
}

/** What many requests to servers have in common. */
export interface UpstreamKind extends UpstreamWords, Faceted {}

export function operationKind(
  { era, protocolVersion, client, principal, address }: Party,
  { method, name, isKnownName, target, variant, outcome, errorType }: Matter,
): OperationKind {
  return {
    era,
    protocolVersion,
    client,
    principal,
    address,
    method,
    name,
    isKnownName,
    target,
    variant,
    outcome,
    errorType,
    upstream: undefined,
    facets: [],
  }
}

let places = 0

/** What one part of the gateway makes of a kind: once for each, as long as the kind is known. */
export class Facet<T extends object, Kind extends Faceted = OperationKind> {
  readonly #place = places++
  readonly #make: (kind: Kind) => T

  constructor(make: (kind: Kind) => T) {
    this.#make = make
  }

  of(kind: Kind): T {
    return (kind.facets[this.#place] ??= this.#make(kind)) as T
  }
}

/** Addresses whose parties are remembered; and names and methods of one party. Then all of them are found anew. */
const MAX_ADDRESSES = 1_000
const MAX_NAMES = 500
/** Names that one server knows. */
const MAX_UPSTREAM = 1_000
/** Of all parties together: some 10 MiB with what is made of them. */
const MAX_KINDS = 10_000

/** A party and the kinds of what it asks. */
export interface KnownParty extends Party {
  /** As it came first: most come so again. */
  readonly seenAs: Principal
  readonly kinds: TupleCache<OperationKind>
}

export class OperationKinds {
  readonly #parties = new TupleCache<KnownParty>(MAX_ADDRESSES)
  /** Of targets as they are set now: others have gone. */
  readonly #upstream = new WeakMap<Target, TupleCache<UpstreamKind>>()
  #withKinds = new Set<KnownParty>()
  #count = 0

  partyOf(speaker: Speaker, principal: Principal, address: string): KnownParty {
    const { party } = speaker
    if (party?.address === address && party.seenAs === principal) return party
    return (speaker.party = this.#findParty(speaker, principal, address))
  }

  /** What only one client says, and nobody else knows of, is not remembered. */
  of(party: KnownParty, matter: Matter): OperationKind {
    const { method, name, isKnownName, target, variant, outcome, errorType } = matter
    const first = name === '' ? method : name
    const known = party.kinds.get(first, name, method, target, variant, outcome, errorType)
    if (known !== undefined) return known
    const kind = operationKind(party, matter)
    if (!isKnownName && !(name === '' && isServedMethod(method))) return kind
    this.#makeRoom()
    this.#withKinds.add(party)
    return party.kinds.set(kind, first, name, method, target, variant, outcome, errorType)
  }

  /** What a server was asked, in the course of an operation of this kind or for the gateway itself. */
  upstreamOf(
    { target, protocolVersion, method, name, errorType }: UpstreamWords,
    of?: OperationKind,
  ): UpstreamKind {
    const last = of?.upstream
    if (
      last !== undefined &&
      last.target === target &&
      last.name === name &&
      last.errorType === errorType &&
      last.protocolVersion === protocolVersion &&
      last.method === method
    ) {
      return last
    }
    let kinds = this.#upstream.get(target)
    if (kinds === undefined) this.#upstream.set(target, (kinds = new TupleCache(MAX_UPSTREAM)))
    const kind =
      kinds.get(name, method, errorType, protocolVersion) ??
      kinds.set(
        { target, protocolVersion, method, name, errorType, facets: [] },
        name,
        method,
        errorType,
        protocolVersion,
      )
    if (of !== undefined) of.upstream = kind
    return kind
  }

  #findParty(speaker: Speaker, principal: Principal, address: string): KnownParty {
    const { era, protocolVersion, client } = speaker
    const { id, kind } = principal
    const name = cut(principal.name)
    const words = [client.name, client.version, id, name, protocolVersion, era] as const
    const known = this.#parties.get(address, ...words)
    if (known !== undefined) return known
    const party: KnownParty = {
      era,
      protocolVersion,
      client,
      principal: { id, kind, name },
      address,
      seenAs: principal,
      kinds: new TupleCache(MAX_NAMES),
    }
    return this.#parties.set(party, address, ...words)
  }

  /** Sessions hold on to their parties, so each has to forget. */
  #makeRoom(): void {
    if (++this.#count <= MAX_KINDS) return
    for (const party of this.#withKinds) party.kinds.clear()
    this.#withKinds = new Set()
    this.#count = 1
  }
}
