      *****************************************************************
      * TASK.CPY - ONE FOLLOW-UP TASK, 256 BYTES, ISO 8859-1          *
      * In the drop (in/TASK-<id>.DAT, one record a file, status Q)   *
      * and in the work queue's master (TASKMAST.DAT, sorted by id).  *
      *****************************************************************
       01  TASK-RECORD.
           05  TASK-ID                 PIC X(26).
           05  CUSTOMER-ID             PIC X(10).
           05  TITLE                   PIC X(80).
           05  DUE-DATE                PIC 9(8).
           05  PRIORITY                PIC X(6).
               88  PRIORITY-LOW                VALUE 'low'.
               88  PRIORITY-NORMAL             VALUE 'normal'.
               88  PRIORITY-HIGH               VALUE 'high'.
               88  PRIORITY-URGENT             VALUE 'urgent'.
           05  TASK-STATUS             PIC X.
               88  TASK-QUEUED                 VALUE 'Q'.
               88  TASK-ACCEPTED               VALUE 'A'.
               88  TASK-REJECTED               VALUE 'R'.
      *    Why the batch rejected the task; blank otherwise.
           05  REASON                  PIC X(40).
      *    Times are UTC, as 2026-10-31T18:05:00Z.
           05  CREATED-AT              PIC X(20).
           05  CREATED-BY              PIC X(40).
      *    When the batch took the task over; blank while queued.
           05  BATCHED-AT              PIC X(20).
           05  FILLER                  PIC X(5).
