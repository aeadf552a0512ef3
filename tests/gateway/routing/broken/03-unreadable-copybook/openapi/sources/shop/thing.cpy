       01  THING.
           05  THING-ID    PIC X(10).
           05  NAME        PIC X(.
