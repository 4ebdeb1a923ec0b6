/** Target names that stand in more than one place: in `targets`, in `mcpServers`, or in several files. */
import { targetNameOf } from '../../discovery/index.js'
import type { Place, Problems } from './problems.js'
import { placeText } from './problems.js'
import type { ConfigNode } from './tree.js'
import { childOf } from './tree.js'

interface WrittenName {
  readonly name: string
  readonly place: Place
  /** Whether a message may hold it. */
  readonly secret: boolean
}

/** Looks at the tree, not at the parsed targets, so that it finds them among other problems too. */
export function reportDuplicateTargets(root: ConfigNode, problems: Problems): void {
  const firstPlaces = new Map<string, Place>()
  for (const { name, place, secret } of writtenNames(root)) {
    const first = firstPlaces.get(name)
    if (first === undefined) firstPlaces.set(name, place)
    else {
      const subject = secret ? 'this name' : `the name "${name}"`
      problems.add(place, `${subject} is taken by the target at ${placeText(first)}`)
    }
  }
}

function* writtenNames(root: ConfigNode): Generator<WrittenName> {
  const targets = childOf(root, 'targets')
  for (const target of targets?.kind === 'list' ? targets.items : []) {
    // Selectors have names for people alone.
    if (childOf(target, 'selectors') ?? childOf(target, 'selector')) continue
    const name = childOf(target, 'name')
    if (name?.kind !== 'scalar' || typeof name.value !== 'string') continue
    yield { name: name.value, place: name.place, secret: name.substituted }
  }
  const servers = childOf(root, 'mcpServers')
  for (const [key, { place }] of servers?.kind === 'map' ? servers.members : []) {
    yield { name: targetNameOf(key), place, secret: false }
  }
}
