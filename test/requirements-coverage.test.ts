import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { REQUIREMENTS } from './requirements.js'

const root = fileURLToPath(new URL('.', import.meta.url))
const ids = new Set(REQUIREMENTS.map(({ id }) => id))

/** Citations in the tests: the id, and the files that cite it. */
const cited = new Map<number, string[]>()
for (const file of readdirSync(root, { recursive: true, encoding: 'utf8' })) {
  // Bodies of tests may be shared by several files.
  if (!file.endsWith('.ts') || /node_modules|^requirements\.ts$/.test(file)) continue
  for (const [, digits] of readFileSync(`${root}${file}`, 'utf8').matchAll(/\[R(\d+)\]/g)) {
    const id = Number(digits)
    cited.set(id, [...(cited.get(id) ?? []), file])
  }
}

describe('the requirements', () => {
  it('are numbered without gaps', () => {
    expect(REQUIREMENTS.map(({ id }) => id)).toEqual(REQUIREMENTS.map((_, index) => index + 1))
  })

  it('are each cited by a test, or owned by a later issue', () => {
    const missing = REQUIREMENTS.filter(({ id, owner }) => owner === undefined && !cited.has(id))
    expect(missing.map(({ id, text }) => `[R${id}] ${text}`)).toEqual([])
  })

  it('that the official suite shows are shown in the gate [R94]', () => {
    expect(readFileSync(`${root}../.ci/run`, 'utf8')).toMatch(/^npm run conformance$/m)
  })

  it('are the only ones that tests cite', () => {
    const unknown = [...cited].filter(([id]) => !ids.has(id))
    expect(unknown.map(([id, files]) => `[R${id}] in ${files.join(', ')}`)).toEqual([])
  })
})
