/**
 * Resource URIs among many backends. A URI passes through as it is while one backend alone owns it; where several
 * do, each is exposed with its target's name inside. http(s) URIs are never touched: they name the same thing
 * for everybody, and clients may fetch them directly (mcp-protocol.md §5.3).
 *
 *     demo://static/1   of target "a"  →  demo://a/static/1          scheme://target/rest
 *     file:///srv/x     of target "a"  →  mcpgw://a/file:///srv/x    no authority to put it in
 *
 * The second form holds the original as it is, not percent-encoded: a template is expanded by the client, and what
 * it put in could not be told from what we encoded.
 */
import type { Target, TargetName } from '../backends/index.js'
import type { Item } from './catalog.js'
import { AmbiguousItemError } from './errors.js'
import type { Offer } from './naming.js'
import type { Pattern } from './pattern.js'
import { matches, templatePattern } from './pattern.js'

const WRAPPER = 'mcpgw:'
const HIERARCHICAL = /^([A-Za-z][A-Za-z0-9+.-]*:)\/\/(?!\{)(.*)$/s
/** Longer URIs are matched against no template. */
const MAX_MATCHED_CHARS = 4_096

export interface UriRoute {
  readonly target: Target
  /** As the backend knows it. */
  readonly uri: string
}

export interface ExposedItem {
  readonly exposed: string
  readonly target: Target
  readonly item: Item
}

interface OwnedTemplate {
  readonly target: Target
  readonly template: string
  readonly pattern: Pattern
}

/** Who owns which URI in one view, both ways. Immutable. */
export class UriIndex {
  readonly resources: readonly ExposedItem[]
  readonly templates: readonly ExposedItem[]
  /** Whether any URI of any backend is exposed changed; if not, results need no look at their URIs. */
  readonly changesUris: boolean
  readonly #listed: ReadonlyMap<string, readonly Target[]>
  readonly #routes = new Map<string, UriRoute>()
  readonly #templates: readonly OwnedTemplate[]
  readonly #targets = new Map<string, Target>()

  constructor(resources: readonly Offer[], templates: readonly Offer[]) {
    for (const { target } of [...resources, ...templates]) this.#targets.set(target.name, target)
    this.#listed = ownersByKey(resources)
    this.#templates = templates.flatMap(({ target, items }) =>
      items.map(({ key }) => ({ target, template: key, pattern: templatePattern(key) })),
    )
    this.resources = exposeAll(resources, this.#listed)
    this.templates = exposeAll(templates, ownersByKey(templates))
    for (const { exposed, target, item } of [...this.resources, ...this.templates]) {
      this.#routes.set(exposed, { target, uri: item.key })
    }
    this.changesUris = [...this.#routes].some(([exposed, { uri }]) => exposed !== uri)
  }

  /** The URI by which clients of this view know a backend's URI. */
  expose(target: Target, uri: string): string {
    const owners = this.#owners(uri)
    const contested = owners.some((owner) => owner.name !== target.name)
    return contested ? withTarget(uri, target) : uri
  }

  /**
   * The backend that owns an exposed URI or template, or `undefined` where no list and no template tells.
   * @throws AmbiguousItemError where several backends own it as it stands
   */
  resolve(uri: string): UriRoute | undefined {
    const listed = this.#routes.get(uri)
    if (listed !== undefined) return listed
    const inner = this.#withoutTarget(uri)
    if (
      inner !== undefined &&
      this.#owners(inner.uri).some((it) => it.name === inner.target.name)
    ) {
      return inner
    }
    const owners = this.#owners(uri)
    const [owner] = owners
    if (owners.length > 1) {
      throw new AmbiguousItemError(
        'resource',
        uri,
        owners.map((target) => withTarget(uri, target)),
      )
    }
    return owner === undefined ? inner : { target: owner, uri }
  }

  /** Whose it is, where a list says so. */
  ownerOf(uri: string): TargetName | undefined {
    return this.#routes.get(uri)?.target.name
  }

  /** Listed ones; where nobody lists it, those with a template for it. */
  #owners(uri: string): readonly Target[] {
    const listed = this.#listed.get(uri)
    if (listed !== undefined || uri.length > MAX_MATCHED_CHARS) return listed ?? []
    const owners = new Set<Target>()
    for (const { target, template, pattern } of this.#templates) {
      if (template === uri || matches(pattern, uri)) owners.add(target)
    }
    return [...owners]
  }

  #withoutTarget(uri: string): UriRoute | undefined {
    const [, scheme, rest] = HIERARCHICAL.exec(uri) ?? []
    if (scheme === undefined || rest === undefined) return undefined
    const slash = rest.indexOf('/')
    const target = slash === -1 ? undefined : this.#targets.get(rest.slice(0, slash))
    if (target === undefined) return undefined
    const inner = rest.slice(slash + 1)
    return { target, uri: scheme === WRAPPER ? inner : `${scheme}//${inner}` }
  }
}

function ownersByKey(offers: readonly Offer[]): ReadonlyMap<string, readonly Target[]> {
  const owners = new Map<string, Target[]>()
  for (const { target, items } of offers) {
    for (const { key } of items) {
      const known = owners.get(key)
      if (known === undefined) owners.set(key, [target])
      else if (!isGlobal(key)) known.push(target)
    }
  }
  return owners
}

function exposeAll(
  offers: readonly Offer[],
  owners: ReadonlyMap<string, readonly Target[]>,
): readonly ExposedItem[] {
  const all = offers.flatMap(({ target, items }) =>
    items
      .filter((item) => owners.get(item.key)?.includes(target))
      .map((item) => {
        const contested = (owners.get(item.key)?.length ?? 0) > 1
        return { exposed: contested ? withTarget(item.key, target) : item.key, target, item }
      }),
  )
  // A backend may list, as its own, a URI that we made for another: neither must be reached by the other's name.
  const claims = new Map<string, number>()
  for (const { exposed } of all) claims.set(exposed, (claims.get(exposed) ?? 0) + 1)
  return all.filter(({ exposed }) => claims.get(exposed) === 1)
}

/** Clients may fetch it themselves, whoever names it. */
export function isGlobal(uri: string): boolean {
  return /^https?:/i.test(uri)
}

function withTarget(uri: string, target: Target): string {
  if (isGlobal(uri)) return uri
  const [, scheme, rest] = HIERARCHICAL.exec(uri) ?? []
  return scheme === undefined || scheme === 'file:' || scheme === WRAPPER
    ? `${WRAPPER}//${target.name}/${uri}`
    : `${scheme}//${target.name}/${rest}`
}
