/** Several documents as one configuration: targets and servers add up, any other section stands in one place only. */
import type { Place, Problems } from './problems.js'
import { placeText } from './problems.js'
import type { ConfigNode, MapNode } from './tree.js'
import { childOf } from './tree.js'

/** `place` is that of the whole. */
export function mergeDocuments(
  documents: readonly MapNode[],
  place: Place,
  problems: Problems,
): MapNode {
  const sections = new Map<string, ConfigNode>()
  for (const document of documents) {
    for (const [key, written] of document.members) {
      const section = key === 'mcpServers' ? withoutDisabled(written) : written
      const first = sections.get(key)
      sections.set(key, first === undefined ? section : joined(key, first, section, problems))
    }
  }
  return { kind: 'map', place, members: sections }
}

function joined(key: string, first: ConfigNode, next: ConfigNode, problems: Problems): ConfigNode {
  if (key === 'targets' && first.kind === 'list' && next.kind === 'list') {
    return { ...first, items: [...first.items, ...next.items] }
  }
  if (key === 'mcpServers' && first.kind === 'map' && next.kind === 'map') {
    const members = new Map(first.members)
    for (const [name, server] of next.members) {
      const known = members.get(name)
      if (known === undefined) members.set(name, server)
      else problems.add(server.place, `this server is already at ${placeText(known.place)}`)
    }
    return { ...first, members }
  }
  const where = placeText(first.place)
  problems.add(next.place, `"${key}" is already at ${where}; the two cannot be put together`)
  return first
}

/** Nothing is asked of a disabled server: its variables may be missing, and its name is free. */
function withoutDisabled(servers: ConfigNode): ConfigNode {
  if (servers.kind !== 'map') return servers
  const enabled = [...servers.members].filter(([, server]) => {
    const disabled = childOf(server, 'disabled')
    return !(disabled?.kind === 'scalar' && disabled.value === true)
  })
  return { ...servers, members: new Map(enabled) }
}
