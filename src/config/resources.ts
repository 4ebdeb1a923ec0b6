/** Documents of Kubernetes among those of the configuration: resources that list MCP servers, and others, which are let be. */
import { z } from 'zod'
import type { BackendResource } from '../../discovery/index.js'
import { readBackendResource, resourceKindOf } from '../../discovery/index.js'
import { reportIssues } from './issues.js'
import { messageOf } from './messages.js'
import type { Problems } from './problems.js'
import type { ConfigNode, MapNode } from './tree.js'
import { childOf, placeOf, plainValue } from './tree.js'

/** Whether a document is one of Kubernetes, of whatever kind. */
export function isResource(document: MapNode): boolean {
  return textAt(document, 'apiVersion') !== undefined && textAt(document, 'kind') !== undefined
}

/** Whether a resource is of a kind that can list servers; a manifest mostly holds others beside it. */
export function isOfConcern(document: MapNode): boolean {
  return resourceKindOf(textAt(document, 'apiVersion'), textAt(document, 'kind')) !== undefined
}

/**
 * Resources as they are written in files. Here, where somebody waits for an answer, one bad target is a problem of
 * the whole; in a cluster it costs no other.
 */
export function readResources(
  documents: readonly ConfigNode[],
  problems: Problems,
): BackendResource[] {
  return documents.flatMap((document) => {
    let resource: BackendResource | undefined
    try {
      resource = readBackendResource(plainValue(document), messageOf)
    } catch (error) {
      if (!(error instanceof z.ZodError)) throw error
      reportIssues(error.issues, document, {}, problems)
    }
    if (resource === undefined) return []
    const { refusal, targets } = resource
    if (refusal !== undefined) problems.add(placeOf(document, ['spec']), refusal)
    for (const [index, target] of targets.entries()) {
      if (target.kind !== 'refused') continue
      problems.add(placeOf(document, ['spec', 'mcp', 'targets', index]), target.reason)
    }
    return [resource]
  })
}

function textAt(document: MapNode, key: string): string | undefined {
  const node = childOf(document, key)
  return node?.kind === 'scalar' && typeof node.value === 'string' ? node.value : undefined
}
