/**
 * `${NAME}` and `${file:PATH}` in the values of strings. It happens after parsing, so a value can never become YAML,
 * and once, so a value can never name another.
 */
import { readFile } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { fileFailure } from './files.js'
import type { Problems } from './problems.js'
import type { ScalarNode } from './tree.js'

/** `$${` stands for `${` itself. */
const REFERENCE = /\$\$\{|\$\{([^}]*)(\}?)/g
const LITERALLY = 'write "$${" for the characters themselves'

type Found = { readonly text: string } | { readonly failure: string }

/**
 * The scalar with its references replaced; where one cannot be, a problem, and the scalar as it was. `found` gets what they
 * stand for.
 */
export async function substitute(
  scalar: ScalarNode,
  env: NodeJS.ProcessEnv,
  problems: Problems,
  found: Set<string>,
): Promise<ScalarNode> {
  if (typeof scalar.value !== 'string') return scalar
  const failures: string[] = []
  let { substituted } = scalar
  let value = ''
  let end = 0
  for (const { 0: reference, 1: name, 2: brace, index } of scalar.value.matchAll(REFERENCE)) {
    value += scalar.value.slice(end, index)
    end = index + reference.length
    if (name === undefined) {
      value += '${'
      continue
    }
    const outcome =
      brace === ''
        ? { failure: `"\${" is not closed; ${LITERALLY}` }
        : await look(name, scalar, env)
    if ('failure' in outcome) failures.push(outcome.failure)
    else {
      value += outcome.text
      found.add(outcome.text)
    }
    substituted = true
  }
  if (failures.length > 0) {
    problems.add(scalar.place, failures.join('; '))
    return scalar
  }
  return { ...scalar, value: value + scalar.value.slice(end), substituted }
}

async function look(name: string, { place }: ScalarNode, env: NodeJS.ProcessEnv): Promise<Found> {
  const [, path] = /^file:(.+)$/s.exec(name) ?? []
  if (path !== undefined) return readText(resolve(dirname(place.file), path))
  if (!/^[A-Za-z_]\w*$/.test(name)) {
    return { failure: `"\${${name}}" is neither \${NAME} nor \${file:PATH}; ${LITERALLY}` }
  }
  const text = Object.hasOwn(env, name) ? env[name] : undefined
  return text === undefined ? { failure: `the environment variable ${name} is not set` } : { text }
}

async function readText(path: string): Promise<Found> {
  try {
    // Editors and `echo` end files with a line break that is no part of the secret.
    return { text: (await readFile(path, 'utf8')).replace(/\r?\n$/, '') }
  } catch (error) {
    return { failure: `the file ${path} cannot be read: ${fileFailure(error)}` }
  }
}
