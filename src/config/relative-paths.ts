/** Paths that a configuration writes relative to its own file, wherever the gateway was started. */
import { dirname, resolve } from 'node:path'
import type { NodePath, ScalarNode } from './tree.js'

/** Paths in the tree; `*` is any key or index. */
const FILES = [
  'targets.*.stdio.cwd',
  'mcpServers.*.cwd',
  'kubernetes.kubeconfig',
  'listen.tls.*',
  'targets.*.tls.ca',
  'targets.*.tls.cert',
  'targets.*.tls.key',
  'targets.*.variants.*.stdio.cwd',
  'targets.*.variants.*.tls.ca',
  'targets.*.variants.*.tls.cert',
  'targets.*.variants.*.tls.key',
  'store.redis.tls.ca',
  'authentication.jwt.*.jwks.file',
]
const PROGRAMS = [
  'targets.*.stdio.command',
  'targets.*.stdio.cmd',
  'targets.*.variants.*.stdio.command',
  'targets.*.variants.*.stdio.cmd',
  'mcpServers.*.command',
]

/** The scalar, made absolute where it is such a path. A program without `./` is looked up in PATH, and stays. */
export function resolvePath(scalar: ScalarNode, path: NodePath): ScalarNode {
  const { value, place } = scalar
  if (typeof value !== 'string') return scalar
  const isRelative = isAt(FILES, path) || (isAt(PROGRAMS, path) && /^\.\.?[/\\]/.test(value))
  return isRelative ? { ...scalar, value: resolve(dirname(place.file), value) } : scalar
}

function isAt(patterns: readonly string[], path: NodePath): boolean {
  return patterns.some((pattern) => {
    const keys = pattern.split('.')
    return keys.length === path.length && keys.every((key, i) => key === '*' || key === path[i])
  })
}
