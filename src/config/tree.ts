/** The configuration as its files wrote it: plain values, each with its place; in a map that is the place of its key. */
import type { Place } from './problems.js'
import { memberPath } from './problems.js'

export type ConfigNode = ScalarNode | ListNode | MapNode

export interface ScalarNode {
  readonly kind: 'scalar'
  readonly place: Place
  readonly value: string | number | boolean | null
  /** Whether a secret may have come into the value, so that nobody may be shown it. */
  readonly substituted: boolean
}

export interface ListNode {
  readonly kind: 'list'
  readonly place: Place
  readonly items: readonly ConfigNode[]
}

export interface MapNode {
  readonly kind: 'map'
  readonly place: Place
  readonly members: ReadonlyMap<string, ConfigNode>
}

export type NodePath = readonly PropertyKey[]

export function plainValue(node: ConfigNode): unknown {
  switch (node.kind) {
    case 'scalar':
      return node.value
    case 'list':
      return node.items.map(plainValue)
    case 'map':
      return Object.fromEntries(
        Array.from(node.members, ([key, member]) => [key, plainValue(member)]),
      )
  }
}

/** The member of a map, or the item of a list. */
export function childOf(node: ConfigNode | undefined, key: PropertyKey): ConfigNode | undefined {
  if (node?.kind === 'map') return node.members.get(String(key))
  return node?.kind === 'list' ? node.items[Number(key)] : undefined
}

export function nodeAt(root: ConfigNode, path: NodePath): ConfigNode | undefined {
  return path.reduce<ConfigNode | undefined>(childOf, root)
}

/** Where a value stands; for one that is not there, where what should hold it stands. */
export function placeOf(root: ConfigNode, path: NodePath): Place {
  let node: ConfigNode | undefined = root
  let { place } = root
  for (const key of path) {
    node = childOf(node, key)
    place = node?.place ?? { ...place, path: memberPath(place.path, key) }
  }
  return place
}

/** The same tree with other scalars. */
export async function mapScalars(
  node: ConfigNode,
  change: (scalar: ScalarNode, path: NodePath) => Promise<ScalarNode>,
  path: NodePath = [],
): Promise<ConfigNode> {
  switch (node.kind) {
    case 'scalar':
      return change(node, path)
    case 'list': {
      const items: ConfigNode[] = []
      for (const [index, item] of node.items.entries()) {
        items.push(await mapScalars(item, change, [...path, index]))
      }
      return { ...node, items }
    }
    case 'map': {
      const members = new Map<string, ConfigNode>()
      for (const [key, member] of node.members) {
        members.set(key, await mapScalars(member, change, [...path, key]))
      }
      return { ...node, members }
    }
  }
}
