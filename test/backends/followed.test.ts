/** What is followed on a caller's behalf after its call, and how much of it: docs/reliability.md, "What is bounded". */
import { describe, expect, it } from 'vitest'
import type { Caller, JsonObject } from '../../backends/index.js'
import { RawJson } from '../../backends/index.js'
import { RunningTasks } from '../../backends/running-tasks.js'
import { UrlElicitations } from '../../backends/url-elicitations.js'
import { target } from '../support/targets.js'

const object = (value: JsonObject) => RawJson.fromValue<JsonObject>(value)
const working = (taskId: string) => object({ taskId, status: 'working' })

describe('tasks of a session', () => {
  it('are followed until they end, each by its own caller', () => {
    const tasks = new RunningTasks()
    const [one, other] = [(): void => undefined, (): void => undefined]
    tasks.begin(1, 'one', one, 0)
    tasks.begin(2, 'other', other, 0)
    expect(tasks.heard(working('one'))).toBe(one)
    expect(tasks.heard(object({ taskId: 'one', status: 'completed' }))).toBe(one)
    expect(tasks.heard(working('one'))).toBeUndefined()
    expect(tasks.ofToken(1)).toBeUndefined()
    expect(tasks.ofToken(2)?.notify).toBe(other)
    tasks.settled('other')
    expect(tasks.heard(working('other'))).toBeUndefined()
  })

  it('are a thousand; the one heard of the longest ago is no longer followed', () => {
    const tasks = new RunningTasks()
    for (let token = 1; token <= 1_000; token++) tasks.begin(token, `t${token}`, () => undefined, 0)
    expect(tasks.heard(working('t1'))).toBeDefined()
    tasks.begin(1_001, 't1001', () => undefined, 0)
    expect(tasks.heard(working('t2'))).toBeUndefined()
    expect(tasks.ofToken(2)).toBeUndefined()
    for (const id of ['t1', 't3', 't1000', 't1001']) expect(tasks.heard(working(id))).toBeDefined()
  })

  it('that nobody waits for are remembered, a thousand of them', () => {
    const tasks = new RunningTasks()
    for (let token = 1; token <= 1_001; token++) tasks.forsake(token)
    expect(tasks.wasForsaken(1)).toBe(false)
    expect(tasks.wasForsaken(2)).toBe(true)
    expect(tasks.wasForsaken(2)).toBe(false)
  })
})

it('URL elicitations of a session are a thousand; of the oldest nobody hears', () => {
  const elicitations = new UrlElicitations(target('a'))
  const caller = { key: 'c' } as Caller
  const named = (count: number) => object({ elicitationId: `e${count}` })
  for (let count = 1; count <= 1_001; count++) elicitations.asked(named(count), caller)
  expect(elicitations.completed(named(1))).toBeUndefined()
  expect(elicitations.completed(named(2))?.caller).toBe(caller)
  expect(elicitations.completed(named(1_001))?.caller).toBe(caller)
})
