/**
 * `subscriptions/listen` of 2026-07-28 (basic/patterns/subscriptions): a stream of the changes that its client asked
 * for, of nothing else, until one of the two ends it.
 */
import { randomUUID } from 'node:crypto'
import type { Caller, JsonObject, RawObject, RequestId } from '../../backends/index.js'
import {
  isJsonObject,
  MetaKey,
  notificationText,
  RawJson,
  resultText,
  withMeta,
} from '../../backends/index.js'
import type { Choice, Permit, VirtualServer } from '../../federation/index.js'
import { InvalidParamsError } from '../../federation/index.js'
import { moveOne } from './followed.js'
import type { ModernRequest } from './modern-request.js'
import type { ModernResponse } from './modern-response.js'

const LISTS = ['tools', 'prompts', 'resources'] as const
/** Resources that one stream may follow. */
const MAX_RESOURCES = 1_000
/** Of what changes before the stream has begun: each change is told once, and that it changed is all that is told. */
const MAX_HELD = 2 * MAX_RESOURCES
const NOTHING_HELD: ReadonlySet<string> = new Set()

export class ModernListen {
  readonly #whole: VirtualServer
  /** As the caller is served by it. */
  #server: VirtualServer
  readonly #permit: Permit | undefined
  /** By which variants the caller is served, as it is whenever that is asked. */
  readonly #choice: () => Choice | undefined
  readonly #request: ModernRequest
  readonly #response: ModernResponse
  readonly #caller: Caller
  readonly #uris: string[] = []
  #stopListening: () => void = () => undefined
  /** What came before the acknowledgement, which has to be first. */
  #held: Set<string> | undefined = new Set()

  /** `caller` is who asks; the stream follows resources under a key of its own. */
  constructor(
    whole: VirtualServer,
    request: ModernRequest,
    response: ModernResponse,
    caller: Caller,
    permit: Permit | undefined,
    choice: () => Choice | undefined,
  ) {
    this.#whole = whole
    this.#choice = choice
    this.#server = whole.with(choice())
    this.#permit = permit
    this.#request = request
    this.#response = response
    this.#caller = {
      ...caller,
      key: `${caller.key} ${randomUUID()}`,
      notify: ({ method, params }) => this.#send(method, params),
    }
  }

  get callerKey(): string {
    return this.#caller.key
  }

  /**
   * Begins, and says what will be told of. What cannot be is left out of that.
   * @throws InvalidParamsError
   */
  async start(): Promise<void> {
    const filter = this.#request.params.value['notifications']
    if (!isJsonObject(filter)) throw new InvalidParamsError('"notifications" must be an object')
    const lists = LISTS.filter(
      (kind) => filter[`${kind}ListChanged`] === true && this.#server.offers(kind),
    )
    await this.#follow(filter['resourceSubscriptions'])
    const agreed: JsonObject = Object.fromEntries(lists.map((kind) => [`${kind}ListChanged`, true]))
    if (this.#uris.length > 0) agreed['resourceSubscriptions'] = [...this.#uris]
    const acknowledged = RawJson.fromValue<JsonObject>({ notifications: agreed })
    const held = this.#held ?? NOTHING_HELD
    this.#held = undefined
    this.#send('notifications/subscriptions/acknowledged', acknowledged)
    for (const text of held) this.#response.notify(text)
    const onChanged = (changed: readonly (typeof LISTS)[number][]): void => {
      for (const kind of changed) {
        if (lists.includes(kind)) this.#send(`notifications/${kind}/list_changed`, NOTHING)
      }
    }
    this.#stopListening = this.#whole.onListChanged(onChanged, this.#permit, () => {
      const choice = this.#choice()
      this.#move(this.#whole.with(choice))
      return choice
    })
  }

  /** The gateway is done: says so, so that the client knows that nothing was lost. */
  finish(): void {
    const result = RawJson.fromValue<JsonObject>({
      resultType: 'complete',
      _meta: { [MetaKey.subscriptionId]: this.#request.id },
    })
    this.#response.answer(resultText(this.#request.id, result), 200)
    this.stop()
  }

  /** Nobody listens any more. */
  stop(): void {
    this.#stopListening()
    for (const uri of this.#uris.splice(0)) {
      const params = RawJson.fromValue<JsonObject>({ uri })
      // Whether the server still hears of it matters to nobody.
      this.#server.unsubscribe(this.#caller, params).catch(() => undefined)
    }
  }

  async #follow(wanted: unknown): Promise<void> {
    if (wanted === undefined) return
    if (!Array.isArray(wanted) || !wanted.every((uri) => typeof uri === 'string')) {
      throw new InvalidParamsError('"resourceSubscriptions" must be an array of URIs')
    }
    if (wanted.length > MAX_RESOURCES) {
      throw new InvalidParamsError(`at most ${MAX_RESOURCES} resources can be followed`)
    }
    const followed = await Promise.allSettled(
      wanted.map(async (uri) => {
        const params = RawJson.fromValue<JsonObject>({ uri })
        await this.#server.subscribe(this.#caller, params, this.#permit)
        return uri
      }),
    )
    for (const it of followed) if (it.status === 'fulfilled') this.#uris.push(it.value)
  }

  /** Goes on following where the caller is served by others than before. What is not there is followed no more. */
  #move(server: VirtualServer): void {
    if (server === this.#server) return
    const before = this.#server
    this.#server = server
    for (const uri of this.#uris) {
      moveOne(uri, before, server, this.#caller, this.#permit).catch(() => undefined)
    }
  }

  #send(method: string, params: RawObject): void {
    const id: RequestId = this.#request.id
    const tagged = withMeta(params, { [MetaKey.subscriptionId]: JSON.stringify(id) })
    const text = notificationText(method, tagged)
    if (this.#held === undefined) this.#response.notify(text)
    else if (this.#held.size < MAX_HELD) this.#held.add(text)
  }
}

const NOTHING = RawJson.fromText<JsonObject>('{}', {})
