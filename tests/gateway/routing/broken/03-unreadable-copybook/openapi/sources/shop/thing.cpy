       01  THING.
           05  THING-ID    PIC X(10).
           05  NAME        PIC X(.
           05  PRICE       PIC X(4) COMP-3.
           05  COLOUR.
           05  SIZES  PIC 9(2) OCCURS 1 TO 5 DEPENDING ON SIZE-COUNT.
           05  NOTE        PIC X(40)
