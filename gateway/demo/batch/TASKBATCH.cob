      *****************************************************************
      * TASKBATCH - MERGES THE DAY'S DROP OF TASKS INTO THE MASTER    *
      *                                                               *
      * TASKDROP   new tasks, sorted by TASK-ID           (in)        *
      * TASKOLD    the master as it is, sorted by TASK-ID (in)        *
      * CUSTIDS    the CRM's customer numbers, ascending  (in, text)  *
      * TASKNEW    the master as it will be               (out)       *
      *                                                               *
      * A balanced line: the lower key of both goes out next. A task  *
      * that the master has already is dropped, so that a run after a *
      * crash doubles nothing. Return code 0, or 16 on a bad file.    *
      *****************************************************************
       IDENTIFICATION DIVISION.
       PROGRAM-ID. TASKBATCH.

       ENVIRONMENT DIVISION.
       INPUT-OUTPUT SECTION.
       FILE-CONTROL.
           SELECT DROP-FILE ASSIGN TO "TASKDROP"
               ORGANIZATION SEQUENTIAL FILE STATUS DROP-STATUS.
           SELECT OPTIONAL OLD-FILE ASSIGN TO "TASKOLD"
               ORGANIZATION SEQUENTIAL FILE STATUS OLD-STATUS.
           SELECT NEW-FILE ASSIGN TO "TASKNEW"
               ORGANIZATION SEQUENTIAL FILE STATUS NEW-STATUS.
           SELECT CUSTOMER-FILE ASSIGN TO "CUSTIDS"
               ORGANIZATION LINE SEQUENTIAL FILE STATUS CUST-STATUS.

       DATA DIVISION.
       FILE SECTION.
       FD  DROP-FILE.
       01  DROP-RECORD                 PIC X(256).
       FD  OLD-FILE.
       01  OLD-RECORD                  PIC X(256).
       FD  NEW-FILE.
       01  NEW-RECORD                  PIC X(256).
       FD  CUSTOMER-FILE.
       01  CUSTOMER-LINE               PIC X(10).

       WORKING-STORAGE SECTION.
      *    PRIORITY is a reserved word of this compiler.
           COPY "task.cpy" REPLACING ==PRIORITY== BY ==TASK-PRIORITY==.
       01  FILE-STATUSES.
           05  DROP-STATUS             PIC XX.
           05  OLD-STATUS              PIC XX.
           05  NEW-STATUS              PIC XX.
           05  CUST-STATUS             PIC XX.
       01  KEYS.
           05  DROP-KEY                PIC X(26).
           05  OLD-KEY                 PIC X(26).
       01  COUNTS.
           05  OLD-COUNT               PIC 9(7) VALUE 0.
           05  ACCEPTED-COUNT          PIC 9(7) VALUE 0.
           05  REJECTED-COUNT          PIC 9(7) VALUE 0.
           05  REPEATED-COUNT          PIC 9(7) VALUE 0.
       01  CUSTOMER-COUNT              PIC 9(6) VALUE 0.
       01  CUSTOMER-TABLE.
           05  KNOWN-CUSTOMER          PIC X(10)
                   OCCURS 1 TO 99999 TIMES DEPENDING ON CUSTOMER-COUNT
                   ASCENDING KEY KNOWN-CUSTOMER INDEXED BY CUST-IDX.
       01  RUN-TIME                    PIC X(20).
       01  CLOCK                       PIC X(21).

       PROCEDURE DIVISION.
       MAIN-LINE.
           PERFORM READ-CLOCK
           PERFORM LOAD-CUSTOMERS
           PERFORM OPEN-FILES
           PERFORM READ-DROP
           PERFORM READ-OLD
           PERFORM UNTIL DROP-KEY = HIGH-VALUES
                     AND OLD-KEY = HIGH-VALUES
               EVALUATE TRUE
                   WHEN OLD-KEY < DROP-KEY
                       PERFORM KEEP-OLD
                   WHEN OLD-KEY = DROP-KEY
                       ADD 1 TO REPEATED-COUNT
                       PERFORM READ-DROP
                   WHEN OTHER
                       PERFORM TAKE-NEW
               END-EVALUATE
           END-PERFORM
           CLOSE DROP-FILE OLD-FILE NEW-FILE
           DISPLAY "TASKBATCH KEPT " OLD-COUNT
               " ACCEPTED " ACCEPTED-COUNT
               " REJECTED " REJECTED-COUNT
               " REPEATED " REPEATED-COUNT
           STOP RUN.

       READ-CLOCK.
      *    The job's time zone is UTC.
           MOVE FUNCTION CURRENT-DATE TO CLOCK
           STRING CLOCK(1:4) "-" CLOCK(5:2) "-" CLOCK(7:2) "T"
               CLOCK(9:2) ":" CLOCK(11:2) ":" CLOCK(13:2) "Z"
               DELIMITED BY SIZE INTO RUN-TIME.

       LOAD-CUSTOMERS.
           OPEN INPUT CUSTOMER-FILE
           IF CUST-STATUS NOT = "00"
               DISPLAY "TASKBATCH CANNOT READ CUSTIDS: " CUST-STATUS
               PERFORM GIVE-UP
           END-IF
           PERFORM UNTIL CUST-STATUS NOT = "00"
               READ CUSTOMER-FILE
               IF CUST-STATUS = "00"
                   ADD 1 TO CUSTOMER-COUNT
                   MOVE CUSTOMER-LINE TO KNOWN-CUSTOMER(CUSTOMER-COUNT)
               END-IF
           END-PERFORM
           CLOSE CUSTOMER-FILE.

       OPEN-FILES.
           OPEN INPUT DROP-FILE
           OPEN INPUT OLD-FILE
           OPEN OUTPUT NEW-FILE
           IF DROP-STATUS NOT = "00" OR NEW-STATUS NOT = "00"
                   OR (OLD-STATUS NOT = "00" AND OLD-STATUS NOT = "05")
               DISPLAY "TASKBATCH CANNOT OPEN: DROP " DROP-STATUS
                   " OLD " OLD-STATUS " NEW " NEW-STATUS
               PERFORM GIVE-UP
           END-IF.

       READ-DROP.
           READ DROP-FILE
               AT END MOVE HIGH-VALUES TO DROP-KEY
               NOT AT END MOVE DROP-RECORD(1:26) TO DROP-KEY
           END-READ.

       READ-OLD.
           READ OLD-FILE
               AT END MOVE HIGH-VALUES TO OLD-KEY
               NOT AT END MOVE OLD-RECORD(1:26) TO OLD-KEY
           END-READ.

       KEEP-OLD.
           ADD 1 TO OLD-COUNT
           MOVE OLD-RECORD TO NEW-RECORD
           PERFORM WRITE-NEW
           PERFORM READ-OLD.

       TAKE-NEW.
           MOVE DROP-RECORD TO TASK-RECORD
           MOVE RUN-TIME TO BATCHED-AT
           MOVE SPACES TO REASON
           PERFORM JUDGE
           IF REASON = SPACES
               SET TASK-ACCEPTED TO TRUE
               ADD 1 TO ACCEPTED-COUNT
           ELSE
               SET TASK-REJECTED TO TRUE
               ADD 1 TO REJECTED-COUNT
           END-IF
           MOVE TASK-RECORD TO NEW-RECORD
           PERFORM WRITE-NEW
           PERFORM READ-DROP.

       JUDGE.
           SET CUST-IDX TO 1
           SEARCH ALL KNOWN-CUSTOMER
               AT END MOVE "UNKNOWN CUSTOMER" TO REASON
               WHEN KNOWN-CUSTOMER(CUST-IDX) = CUSTOMER-ID
                   CONTINUE
           END-SEARCH
           IF TITLE = SPACES
               MOVE "NO TITLE" TO REASON
           END-IF
           IF NOT (PRIORITY-LOW OR PRIORITY-NORMAL OR PRIORITY-HIGH
                   OR PRIORITY-URGENT)
               MOVE "UNKNOWN PRIORITY" TO REASON
           END-IF
           IF DUE-DATE NOT NUMERIC
               MOVE "DUE DATE IS NO DATE" TO REASON
           ELSE
               IF FUNCTION TEST-DATE-YYYYMMDD(DUE-DATE) NOT = 0
                   MOVE "DUE DATE IS NO DATE" TO REASON
               END-IF
           END-IF.

       WRITE-NEW.
           WRITE NEW-RECORD
           IF NEW-STATUS NOT = "00"
               DISPLAY "TASKBATCH CANNOT WRITE: " NEW-STATUS
               PERFORM GIVE-UP
           END-IF.

       GIVE-UP.
           MOVE 16 TO RETURN-CODE
           STOP RUN.
