import { errorPage, errorsPage } from '../pages/errors.ts'
import {
  editRecurringDialog,
  jobDialog,
  limitQueueDialog,
  pauseQueueDialog,
  pauseRecurringDialog,
  removeRecurringDialog,
} from '../pages/dialogs.ts'
import { jobPage } from '../pages/job.ts'
import { jobsPage } from '../pages/jobs.ts'
import { metricsPage } from '../pages/metrics.ts'
import { newOperationPage, operationPage, operationsPage } from '../pages/operations.ts'
import { overviewPage } from '../pages/overview.ts'
import { queuePage, queuesPage } from '../pages/queues.ts'
import { recurringJobPage, recurringPage } from '../pages/recurring.ts'
import { serversPage } from '../pages/servers.ts'
import { type Route, page } from '../route.ts'

export const pages: readonly Route[] = [
  page('/', 'Whether work flows.', overviewPage),
  page('/jobs', 'Find jobs.', jobsPage),
  page('/jobs/:id', 'The story of one job.', jobPage),
  page('/jobs/:id/cancel', 'Asks before a job is cancelled.', (visit) => jobDialog(visit, 'cancel'), 'jobs.cancel'),
  page('/jobs/:id/delete', 'Asks before a job is deleted.', (visit) => jobDialog(visit, 'delete'), 'jobs.delete'),
  page('/jobs/:id/reschedule', 'Asks for another time.', (visit) => jobDialog(visit, 'reschedule'), 'jobs.reschedule'),
  page('/errors', 'What goes wrong, each thing once.', errorsPage),
  page('/errors/:fingerprint', 'One group of errors.', errorPage),
  page('/queues', 'Queues and whether they keep up.', queuesPage),
  page('/queues/:name', 'One queue.', queuePage),
  page('/queues/:name/pause', 'Asks before a queue is paused.', pauseQueueDialog, 'queues.pause'),
  page('/queues/:name/limits', 'Asks for the limits of a queue.', limitQueueDialog, 'queues.limit'),
  page('/recurring', 'Jobs made by the calendar.', recurringPage),
  page('/recurring/:id', 'One recurring job.', recurringJobPage),
  page('/recurring/:id/pause', 'Asks before a recurring job is paused.', pauseRecurringDialog, 'recurring.pause'),
  page('/recurring/:id/edit', 'Another schedule, with a preview.', editRecurringDialog, 'recurring.edit'),
  page('/recurring/:id/remove', 'Asks before a recurring job is removed.', removeRecurringDialog, 'recurring.remove'),
  page('/servers', 'Who works, and on what.', serversPage),
  page('/metrics', 'Runs and durations by kind and queue.', metricsPage),
  page('/operations', 'Commands for many jobs.', operationsPage),
  page('/operations/new', 'Asks before an operation begins.', newOperationPage),
  page('/operations/:id', 'One operation.', operationPage),
]
