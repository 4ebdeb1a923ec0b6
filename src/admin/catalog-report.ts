/** `/api/v1/catalog`: everything that is served, by whom and under which names; definitions are asked for one by one. */
import type { JsonObject } from '../../backends/index.js'
import { idOf, serverNamesOf } from '../../backends/index.js'
import type { Federation, InventoryItem } from '../../federation/index.js'
import { CATALOG_KINDS } from '../../federation/index.js'
import type { CatalogChanges } from './catalog-changes.js'

const MAX_DESCRIPTION = 300

export function catalogReport(federation: Federation, { newest }: CatalogChanges): object {
  const served = [...inventoryOf(federation)]
  return {
    items: served.map(summaryOf),
    collisions: federation.merged.collisions,
    hidden: hiddenItems(federation, served),
    changes: newest.all,
  }
}

/** What is served to anybody: by every server of targets that have several. */
function* inventoryOf({ keepers, merged }: Federation): Iterable<InventoryItem> {
  const usual = new Set<string>()
  for (const item of merged.inventory()) {
    usual.add(idOf(item.target))
    yield item
  }
  for (const { backend } of keepers) {
    const { name, variant } = backend.target
    if (variant === undefined || usual.has(idOf(backend.target))) continue
    const others = merged.with(new Map([[name, variant]])).inventory()
    for (const item of others) if (idOf(item.target) === idOf(backend.target)) yield item
  }
}

/** One definition as its server wrote it; `undefined` where there is none of these names. */
export function definitionOf(
  { keepers }: Federation,
  kind: string,
  target: string,
  original: string,
): JsonObject | undefined {
  const known = CATALOG_KINDS.find((it) => it === kind)
  const keeper =
    keepers.find(({ backend }) => idOf(backend.target) === target) ??
    keepers.find(({ backend }) => backend.target.name === target)
  if (known === undefined) return undefined
  return keeper?.offered?.items[known].find((it) => it.key === original)?.raw.value
}

function summaryOf({ kind, target, exposed, original, raw }: InventoryItem): object {
  const { title, description, mimeType } = raw.value
  return {
    kind,
    ...serverNamesOf(target),
    exposed,
    original,
    ...(typeof title === 'string' ? { title: title.slice(0, MAX_DESCRIPTION) } : {}),
    ...(typeof mimeType === 'string' ? { mimeType: mimeType.slice(0, MAX_DESCRIPTION) } : {}),
    description: typeof description === 'string' ? description.slice(0, MAX_DESCRIPTION) : '',
  }
}

/** What servers offer and nobody is served: filtered, held back by the guard, or claimed by several. */
function hiddenItems(
  { keepers, merged }: Federation,
  served: readonly InventoryItem[],
): readonly object[] {
  const shown = new Set(served.map((it) => keyOf(it.kind, idOf(it.target), it.original)))
  const contested = new Set(merged.collisions.map((it) => it.exposed))
  return keepers.flatMap(({ backend: { target }, offered, unapproved }) =>
    CATALOG_KINDS.flatMap((kind) =>
      (offered?.items[kind] ?? [])
        .filter((it) => !shown.has(keyOf(kind, idOf(target), it.key)))
        .map(({ key: original }) => {
          const isName = kind === 'tools' || kind === 'prompts'
          const named = kind === 'tools' ? 'tool' : 'prompt'
          const exposed = isName ? merged.nameOf(named, target.name, original) : original
          const isHeld = kind === 'tools' && unapproved.some((it) => it.tool === original)
          const because = contested.has(exposed) ? 'collision' : isHeld ? 'guard' : 'filter'
          return { kind, ...serverNamesOf(target), exposed, original, because }
        }),
    ),
  )
}

function keyOf(kind: string, target: string, name: string): string {
  return `${kind}\n${target}\n${name}`
}
