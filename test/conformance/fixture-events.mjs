/** The events of one session in memory, numbered across its streams so that an id tells the stream. */
export class EventStore {
  #events = []

  async storeEvent(streamId, message) {
    this.#events.push({ streamId, message })
    return String(this.#events.length - 1)
  }

  async getStreamIdForEventId(eventId) {
    return this.#events[Number(eventId)]?.streamId
  }

  async replayEventsAfter(lastEventId, { send }) {
    const streamId = await this.getStreamIdForEventId(lastEventId)
    if (streamId === undefined) throw new Error('unknown event')
    for (const [index, event] of this.#events.entries()) {
      // A priming event is stored as an empty message; replayed, it would be no JSON-RPC.
      const isMessage = event.message.jsonrpc !== undefined
      if (index > Number(lastEventId) && event.streamId === streamId && isMessage) {
        await send(String(index), event.message)
      }
    }
    return streamId
  }
}
