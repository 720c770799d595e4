import { expect, test } from 'vitest'
import { agentJob, heldJob, jobSession } from '../e2e/jobs.ts'
import { RawSocket } from '../e2e/raw-socket.ts'
import { heldStore } from './held-store.ts'
import { atEachLimit } from './house.ts'

atEachLimit(
  house => {
    test('WAIT-25 W2: while a turn waits for the network, everybody writes', async () => {
      const { client } = house
      const gate = await house.heldTurn('network', 'network-1', [{ text: 'one' }, { text: 'two' }])
      const job = await client.call('cron.add', agentJob('written'))
      await client.call('cron.update', { jobId: job.id, patch: { enabled: false } })
      expect(await house.chat('network', 'more', 'network-2')).toMatchObject({ status: 'started', ahead: 1 })
      expect(await client.call('sessions.reset', { key: 'another' })).toMatchObject({ ok: true })
      const sent = await client.call('sessions.send', { sessionKey: 'network', message: 'hi', timeoutSeconds: 0 })
      expect(sent.status).toBe('accepted')
      expect(await client.call('chat.abort', { sessionKey: 'network', runId: sent.runId })).toMatchObject({
        aborted: true,
      })
      expect(gate.isOpen).toBe(false)
      gate.open()
      expect(await Promise.all(['network-1', 'network-2'].map(runId => house.reply(runId)))).toEqual(['one', 'two'])
    })

    test('WAIT-26 W3 W6: while nobody can write, reads are answered, and a write that gave up never happens', async () => {
      const { client, model } = house
      const kept = await client.call('cron.add', { ...agentJob('kept'), idempotencyKey: 'kept' })
      const leaving = await RawSocket.connected(house.gateway, house.scope)
      const release = heldStore(house)
      const sent = house.chat('store', 'begin', 'store-1')
      await expect(client.call('sessions.patch', { key: 'another', label: 'ghost' })).rejects.toMatchObject({
        code: 'TIMEOUT',
        outcome: 'not-started',
      })
      leaving.send({ type: 'req', id: 'gone', method: 'cron.remove', params: { jobId: kept.id } })
      // Requests of one connection are taken in their order.
      expect(await leaving.ask('health')).toMatchObject({ ok: true })
      leaving.terminate()
      await leaving.closed
      expect((await client.call('cron.list', {})).jobs.map(({ id }) => id)).toContain(kept.id)
      expect(await client.call('chat.history', { sessionKey: 'store' })).toMatchObject({ messages: [] })
      expect((await client.call('sessions.list', {})).count).toEqual(expect.any(Number))
      expect(await client.call('status', {})).toMatchObject({ epoch: expect.any(Number) })
      const fresh = await house.gateway.client()
      expect(await fresh.call('health', {})).toMatchObject({ ok: true })
      model.script('agent:main:store', { text: 'written' })
      release()
      expect(await sent).toMatchObject({ status: 'started' })
      expect(await house.reply('store-1')).toBe('written')
      expect(JSON.stringify(await client.call('sessions.list', {}))).not.toContain('ghost')
      const { jobs } = await client.call('cron.list', { includeDisabled: true })
      expect(jobs.map(({ id }) => id)).toContain(kept.id)
      fresh.client.close()
    })

    test('WAIT-27 W2: a gateway that dies in the middle of turns leaves no lock behind', async () => {
      const { model } = house
      const { job } = await heldJob(house, 'outlives')
      if (house.limit > 1) await house.heldTurn('died', 'died-1')
      else await house.chat('died', 'begin', 'died-1')
      await house.gateway.kill()
      await house.again()
      const { client } = house
      const added = await client.call('cron.add', agentJob('after the death'))
      expect((await client.call('cron.list', {})).jobs.map(({ id }) => id)).toContain(added.id)
      await client.call('sessions.reset', { key: 'another' })
      model.script(jobSession(job), { text: 'done after all' })
      model.script('agent:main:died', { text: 'answered after all' })
      expect(await client.call('agent.wait', { runId: 'died-1' })).toMatchObject({ status: 'ok' })
      expect(await client.events.cron(job.id, 'finished')).toMatchObject({ summary: 'done after all' })
    })
  },
  // Of a method that nothing else here calls: a busy disk may take longer.
  { config: { methods: { 'sessions.patch': { timeoutMs: 1_000 } } } },
)
