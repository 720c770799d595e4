// A model that answers at once, over the OpenAI wire: it lists the jobs, adds one, and says that it is done. Told
// `again` it asks for the same job each time, which a session has only once, so that long runs do not pile up jobs.
import { startModelServer } from '../test/fakes/model-server.ts'
import { jobInput } from './state.ts'

let jobs = 0
const server = await startModelServer(({ results, user }) => {
  if (results.length === 0) return { calls: [{ name: 'cron', args: { action: 'list' } }] }
  if (results.length > 1) return { text: 'Done: the job is there.' }
  if (user !== 'again') jobs += 1
  const job = { ...jobInput(jobs), name: `made in turn ${jobs}` }
  return { calls: [{ name: 'cron', args: { action: 'add', job } }] }
})
process.send?.({ baseUrl: server.baseUrl })
process.on('disconnect', () => process.exit())
