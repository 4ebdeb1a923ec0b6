// Tools that run as tasks, for clients that declare the extension io.modelcontextprotocol/tasks (ext-tasks).
import { ProtocolError } from '@modelcontextprotocol/server'
import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { elicitation, needs } from './modern-fixture-input.mjs'

const TASKS = 'io.modelcontextprotocol/tasks'
const said = (text) => ({ content: [{ type: 'text', text }] })
const TTL_MS = 60_000
const POLL_MS = 100

const tasks = new Map()

class Task {
  id = randomUUID()
  createdAt = new Date().toISOString()
  lastUpdatedAt = this.createdAt
  status = 'working'
  outcome = {}
  #questions = {}
  #answers = {}
  #answered = () => undefined
  cancellation = new AbortController()

  /** Runs what it is for; `run` gives a result or throws an error of the protocol. */
  static start(run) {
    const task = new Task()
    tasks.set(task.id, task)
    run(task).then(
      (result) => task.#end('completed', { result }),
      (error) =>
        task.#end('failed', { error: { code: error.code ?? -32603, message: error.message } }),
    )
    return { resultType: 'task', ...task.summary }
  }

  get summary() {
    const { id: taskId, status, createdAt, lastUpdatedAt } = this
    return { taskId, status, createdAt, lastUpdatedAt, ttlMs: TTL_MS, pollIntervalMs: POLL_MS }
  }

  get detailed() {
    const waits = this.status === 'input_required'
    return { ...this.summary, ...this.outcome, ...(waits && { inputRequests: this.#questions }) }
  }

  /** Waits until every question is answered. */
  async ask(questions) {
    this.#questions = questions
    this.#move('input_required')
    await new Promise((resolve) => (this.#answered = resolve))
    this.#move('working')
    return this.#answers
  }

  answer(responses) {
    for (const [key, response] of Object.entries(responses ?? {})) {
      if (!(key in this.#questions)) continue
      this.#answers[key] = response
      const { [key]: _, ...rest } = this.#questions
      this.#questions = rest
    }
    if (Object.keys(this.#questions).length === 0) this.#answered()
  }

  cancel() {
    this.#end('cancelled', {})
    this.cancellation.abort()
  }

  #end(status, outcome) {
    if (['completed', 'failed', 'cancelled'].includes(this.status)) return
    this.outcome = outcome
    this.#move(status)
  }

  #move(status) {
    this.status = status
    this.lastUpdatedAt = new Date().toISOString()
  }
}

const tool = (name, properties, run) => ({
  name,
  description: 'May run as a task',
  inputSchema: { type: 'object', properties },
  run,
})

/** A task where the client knows tasks, else the result itself. */
const either = (name, properties, run) =>
  tool(name, properties, (given, { capabilities }) =>
    knows(capabilities)
      ? Task.start((task) => run(given, task))
      : run(given, { cancellation: new AbortController() }),
  )

const knows = ({ extensions }) => extensions?.[TASKS] !== undefined

function requireTasks({ capabilities }) {
  if (knows(capabilities)) return
  const requiredCapabilities = { extensions: { [TASKS]: {} } }
  throw new ProtocolError(-32021, 'the tasks extension is needed', { requiredCapabilities })
}

const text = { type: 'string' }

export const tools = [
  tool('greet', { name: text }, ({ name }) => said(`Hello, ${name}!`)),
  either('slow_compute', { seconds: { type: 'number' }, label: text }, async (given, task) => {
    const { seconds = 0, label = '' } = given
    await sleep(seconds * 1_000, undefined, { signal: task.cancellation.signal })
    return said(`Computed ${label} for ${seconds} seconds.`)
  }),
  tool('failing_job', {}, (_, context) => {
    requireTasks(context)
    return Task.start(async () => {
      await sleep(POLL_MS)
      return { ...said('The job failed.'), isError: true }
    })
  }),
  tool('protocol_error_job', {}, (_, context) => {
    requireTasks(context)
    return Task.start(async () => {
      await sleep(POLL_MS)
      throw new ProtocolError(-32603, 'The job broke.')
    })
  }),
  tool('confirm_delete', { filename: text }, ({ filename }, context) => {
    requireTasks(context)
    return Task.start(async (task) => {
      await task.ask({ confirm: elicitation(`Delete ${filename}?`, 'confirm', 'boolean') })
      return said(`Deleted ${filename}.`)
    })
  }),
  tool('multi_input', {}, (_, context) => {
    requireTasks(context)
    return Task.start(async (task) => {
      await task.ask({ a: elicitation('The first?', 'a'), b: elicitation('The second?', 'b') })
      return said('Got both.')
    })
  }),
  tool('test_tool_with_task', {}, (_, context) => {
    requireTasks(context)
    const name = context.inputResponses?.user_name?.content?.name
    if (name === undefined) return needs({ user_name: elicitation('What is your name?', 'name') })
    return Task.start(async () => {
      await sleep(POLL_MS)
      return said(`Done for ${name}.`)
    })
  }),
]

function about({ taskId }, context) {
  requireTasks(context)
  const task = tasks.get(taskId)
  if (task === undefined) throw new ProtocolError(-32602, `Unknown task: ${taskId}`)
  return task
}

export const taskMethods = {
  'tasks/get': (params, context) => about(params, context).detailed,
  'tasks/update': (params, context) => {
    about(params, context).answer(context.inputResponses)
    return {}
  },
  'tasks/cancel': (params, context) => {
    about(params, context).cancel()
    return {}
  },
}
