/**
 * One published picture of many backends: the lists as clients get them, and the way back from every exposed name.
 * Built once per change and never changed after, so that a list is a look-up and a call finds its owner without
 * a search.
 */
import type { RawObject, Target } from '../backends/index.js'
import { EMPTY_OBJECT, isJsonObject, withMembers } from '../backends/index.js'
import { runsTasks } from './capabilities.js'
import type { BackendCatalog, CatalogKind, Item } from './catalog.js'
import { LISTS } from './catalog.js'
import type { ItemKind } from './errors.js'
import { AmbiguousItemError, UnknownItemError } from './errors.js'
import type { Collision, Named, Naming, Offer } from './naming.js'
import { nameItems } from './naming.js'
import type { Pattern } from './pattern.js'
import { globPattern, matches } from './pattern.js'
import type { ExposedNames, Permit, PermitItem } from './permit.js'
import { UriIndex } from './resource-uri.js'
import { deadLinks, mapToolUris, NO_LINKS } from './result-uris.js'
import { forLegacy, forModern, withoutTasks } from './tool-traits.js'

/** One backend's part in a view. */
export interface ViewMember {
  readonly target: Target
  readonly catalog: BackendCatalog
}

export interface NameRoute {
  readonly target: Target
  readonly exposed: string
  readonly original: string
  /** The definition as the backend wrote it. */
  readonly raw: RawObject
}

/** A tool, prompt, resource or template, its owner, and both its names. */
export interface InventoryItem extends NameRoute {
  readonly kind: CatalogKind
}

export interface View {
  readonly tools: NameIndex
  readonly prompts: NameIndex
  readonly uris: UriIndex
  readonly collisions: readonly Collision[]
  readonly nameOf: ExposedNames
  /** The array of each list, as JSON text. */
  readonly lists: Readonly<Record<CatalogKind, string>>
  /** The same for clients of 2026-07-28. */
  readonly modernLists: Readonly<Record<CatalogKind, string>>
}

export interface ViewOptions {
  /** Only what it shows is there: names are made as if all were, so that nobody's depend on who asks. */
  readonly permit?: Permit | undefined
  /** Those by which the permit knows things, where they are not those of this view. */
  readonly names?: ExposedNames | undefined
  /** All that there are; of some nothing may be known yet, and what is theirs has names all the same. */
  readonly targets?: readonly Target[]
}

export function buildView(
  members: readonly ViewMember[],
  naming: Naming,
  { permit, names, targets = [] }: ViewOptions = {},
): View {
  const offers = (kind: CatalogKind): Offer[] =>
    members.map(({ target, catalog }) => ({ target, items: catalog.items[kind] }))
  const chosen = (kind: CatalogKind): Offer[] => offers(kind).map(chooseItems)

  const allTools = nameItems(chosen('tools'), naming)
  const allPrompts = nameItems(chosen('prompts'), naming)
  const uris = new UriIndex(offers('resources'), offers('templates'))
  const { changesUris } = uris
  const shown = (kind: PermitItem['kind'], items: readonly Named[]): readonly Named[] =>
    permit === undefined
      ? items
      : items.filter((it) => permit.shows(permitItem(kind, routeOf(it), names)))
  const tools = { ...allTools, named: shown('tool', allTools.named) }
  const prompts = { ...allPrompts, named: shown('prompt', allPrompts.named) }
  const withTasks = new Set(
    members.filter(({ catalog }) => runsTasks(catalog.server)).map(({ target }) => target),
  )
  const toolsFor = (inEra: (tool: RawObject) => RawObject): string =>
    arrayText(tools.named, ({ target, item, exposed }: Named): string => {
      const tool = inEra(withTasks.has(target) ? item.raw : withoutTasks(item.raw))
      const expose = (uri: string): string => uris.expose(target, uri)
      const dead = permit === undefined ? NO_LINKS : deadLinks(tool.value, target, expose, permit)
      const mapped = changesUris || dead.size > 0 ? mapToolUris(tool, expose, dead) : tool
      return renamed(mapped, 'name', item.key, exposed)
    })
  const lists = {
    tools: toolsFor(forLegacy),
    prompts: arrayText(prompts.named, itemText('prompts')),
    resources: arrayText(shown('resource', uris.resources), itemText('resources')),
    templates: arrayText(shown('resource', uris.templates), itemText('templates')),
  }
  const all = [...targets, ...members.map(({ target }) => target)]
  const byName = new Map(all.map((target) => [target.name, target]))
  const isAlike = tools.named.every(({ item: { raw } }) => forModern(raw) === forLegacy(raw))
  return {
    tools: new NameIndex('tool', tools.named),
    prompts: new NameIndex('prompt', prompts.named),
    uris,
    collisions: [...tools.collisions, ...prompts.collisions],
    nameOf: (kind, name, original) => {
      const target = byName.get(name)
      if (target === undefined) return original
      return (kind === 'tool' ? allTools : allPrompts).nameOf(target, original)
    },
    lists,
    modernLists: isAlike ? lists : { ...lists, tools: toolsFor(forModern) },
  }
}

/** What a permit is asked about, under the name that it has among `names`. */
export function permitItem(
  kind: PermitItem['kind'],
  { target, exposed, original, raw }: NameRoute,
  names?: ExposedNames,
): PermitItem {
  const { annotations } = raw.value
  const isNamed = kind !== 'resource' && names !== undefined
  return {
    kind,
    name: original,
    exposedName: isNamed ? names(kind, target.name, original) : exposed,
    target: target.name,
    annotations: isJsonObject(annotations) ? annotations : EMPTY_OBJECT.value,
  }
}

function routeOf({ target, exposed, item }: Named): NameRoute {
  return { target, exposed, original: item.key, raw: item.raw }
}

/** Everything that a view holds, in the order of its lists. */
export function* inventoryOf({ tools, prompts, uris }: View): Iterable<InventoryItem> {
  for (const route of tools.routes) yield { kind: 'tools', ...route }
  for (const route of prompts.routes) yield { kind: 'prompts', ...route }
  for (const named of uris.resources) yield { kind: 'resources', ...routeOf(named) }
  for (const named of uris.templates) yield { kind: 'templates', ...routeOf(named) }
}

/** Exposed name → who serves it under which name. */
class NameIndex {
  readonly #kind: ItemKind
  readonly #exposed = new Map<string, NameRoute>()
  readonly #bare = new Map<string, string[]>()

  constructor(kind: ItemKind, named: readonly Named[]) {
    this.#kind = kind
    for (const route of named.map(routeOf)) {
      const { exposed, original } = route
      this.#exposed.set(exposed, route)
      const others = this.#bare.get(original)
      if (others === undefined) this.#bare.set(original, [exposed])
      else others.push(exposed)
    }
  }

  get size(): number {
    return this.#exposed.size
  }

  get routes(): Iterable<NameRoute> {
    return this.#exposed.values()
  }

  /** The owner of an exposed name, and of nothing else. */
  exact(name: string): NameRoute | undefined {
    return this.#exposed.get(name)
  }

  /**
   * The owner of an exposed name; of a bare one where a single backend has it, because the pages of MCP Apps call
   * their tools by the names they gave them.
   * @throws UnknownItemError, AmbiguousItemError
   */
  resolve(name: string): NameRoute {
    const route = this.#exposed.get(name)
    if (route !== undefined) return route
    const candidates = this.#bare.get(name) ?? []
    if (candidates.length > 1) throw new AmbiguousItemError(this.#kind, name, candidates)
    const [exposed] = candidates
    const fallback = exposed === undefined ? undefined : this.#exposed.get(exposed)
    if (fallback === undefined) throw new UnknownItemError(this.#kind, name)
    return fallback
  }
}

/** Those that the target's `include` and `exclude` leave. */
export function chooseItems({ target, items }: Offer): Offer {
  if (target.include.length === 0 && target.exclude.length === 0) return { target, items }
  const include = target.include.map(globPattern)
  const exclude = target.exclude.map(globPattern)
  return {
    target,
    items: items.filter(
      (item) => (include.length === 0 || anyOf(include, item)) && !anyOf(exclude, item),
    ),
  }
}

function anyOf(patterns: readonly Pattern[], { key }: Item): boolean {
  return patterns.some((pattern) => matches(pattern, key))
}

function itemText(kind: CatalogKind) {
  return ({ item, exposed }: { readonly item: Item; readonly exposed: string }): string =>
    renamed(item.raw, LISTS[kind].key, item.key, exposed)
}

function arrayText<T>(items: readonly T[], text: (item: T) => string): string {
  return `[${items.map(text).join(',')}]`
}

/** Texts made for earlier views: most items of a view are those of the last. */
const renamedTexts = new WeakMap<RawObject, { readonly exposed: string; readonly text: string }>()

function renamed(raw: RawObject, key: string, original: string, exposed: string): string {
  if (exposed === original) return raw.text
  const known = renamedTexts.get(raw)
  if (known?.exposed === exposed) return known.text
  const { text } = withMembers(raw, { [key]: JSON.stringify(exposed) })
  renamedTexts.set(raw, { exposed, text })
  return text
}
