import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { selectorFields, selectorQuery } from '../../discovery/selectors.js'

const entry = z.strictObject(selectorFields)
const parse = (written: object) => entry.safeParse(written)
const services = (selector: object) => parse({ selector: { services: selector } })

function queryOf(selector: object): string {
  const { data, error } = services(selector)
  if (data?.selector === undefined) throw error ?? new Error('no selector')
  return selectorQuery(data.selector.services)
}

describe('label selectors', () => {
  it.each([
    [{}, ''],
    [{ matchLabels: { app: 'mcp', 'a.io/b': '' } }, 'app=mcp,a.io/b='],
    [{ matchExpressions: [{ key: 'a', operator: 'In', values: ['x', 'y'] }] }, 'a in (x,y)'],
    [{ matchExpressions: [{ key: 'a', operator: 'NotIn', values: ['x'] }] }, 'a notin (x)'],
    [{ matchExpressions: [{ key: 'a', operator: 'Exists' }] }, 'a'],
    [{ matchExpressions: [{ key: 'a', operator: 'DoesNotExist', values: [] }] }, '!a'],
    [{ matchLabels: { a: 'b' }, matchExpressions: [{ key: 'c', operator: 'Exists' }] }, 'a=b,c'],
  ])('%j are asked of the API as "%s"', (selector, query) => {
    expect(queryOf(selector)).toBe(query)
  })

  it('mean the same in kgateway’s and in agentgateway’s spelling', () => {
    const labels = { matchLabels: { app: 'mcp' } }
    const kgateway = parse({ selectors: { serviceSelector: labels, namespaceSelector: {} } })
    const agentgateway = parse({ selector: { services: labels, namespaces: {} } })
    expect(kgateway.data?.selectors).toEqual(agentgateway.data?.selector)
  })

  it('of namespaces alone select all of their Services', () => {
    const { data } = parse({ selector: { namespaces: { matchLabels: { team: 'a' } } } })
    expect(data?.selector).toMatchObject({ services: { matchLabels: {}, matchExpressions: [] } })
  })

  it.each([
    [{ matchLabels: { app: 'a b' } }, /value of a label/],
    [{ matchLabels: { app: 'x,y=z' } }, /value of a label/],
    [{ matchLabels: { 'a=b': 'c' } }, /key of a label/],
    [{ matchLabels: { app: 'x'.repeat(64) } }, /value of a label/],
    [{ matchExpressions: [{ key: 'a', operator: 'In' }] }, /In needs values/],
    [{ matchExpressions: [{ key: 'a', operator: 'Exists', values: ['x'] }] }, /takes no values/],
    [{ matchExpressions: [{ key: 'a', operator: 'in', values: ['x'] }] }, /Invalid option/],
    [{ matchLables: {} }, /Unrecognized key/],
  ])('%j are refused', (selector, message) => {
    expect(services(selector).error?.message).toMatch(message)
  })

  it('that select nothing in particular are refused', () => {
    expect(parse({ selectors: {} }).error?.message).toMatch(/a selector of Services, of namespaces/)
  })
})
