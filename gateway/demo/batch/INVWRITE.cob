      *****************************************************************
      * INVWRITE - WRITES ONE MONTH'S INVOICES AS THE HOST HAS THEM   *
      *                                                               *
      * INVTEXT    one line an invoice, fields parted by | (in, text) *
      * INVDATA    fixed-length records of invoice.cpy    (out)       *
      *                                                               *
      * Text leaves in EBCDIC (code page 037); packed and binary      *
      * fields stay as they are. Return code 0, or 16 on a bad file.  *
      *****************************************************************
       IDENTIFICATION DIVISION.
       PROGRAM-ID. INVWRITE.

       ENVIRONMENT DIVISION.
       INPUT-OUTPUT SECTION.
       FILE-CONTROL.
           SELECT TEXT-FILE ASSIGN TO "INVTEXT"
               ORGANIZATION LINE SEQUENTIAL FILE STATUS TEXT-STATUS.
           SELECT DATA-FILE ASSIGN TO "INVDATA"
               ORGANIZATION SEQUENTIAL FILE STATUS DATA-STATUS.

       DATA DIVISION.
       FILE SECTION.
       FD  TEXT-FILE.
       01  TEXT-LINE                   PIC X(1000).
       FD  DATA-FILE.
       01  DATA-RECORD.
           05  FILLER                  PIC X(159).
           05  WRITTEN-LINE-COUNT      PIC S9(4) COMP.
           05  FILLER                  PIC X(355).

       WORKING-STORAGE SECTION.
           COPY "invoice.cpy".
           COPY "ebcdic.cpy".
       01  TEXT-STATUS                 PIC XX.
       01  DATA-STATUS                 PIC XX.
       01  PLACE                       PIC 9(4) COMP.
       01  REAL-LINE-COUNT             PIC 9(4) COMP.
       01  LINE-IDX                    PIC 9(4) COMP.
       01  RECORD-COUNT                PIC 9(7) VALUE 0.
       01  FIELD-TEXT                  PIC X(60).

       PROCEDURE DIVISION.
       MAIN-LINE.
           OPEN INPUT TEXT-FILE
           OPEN OUTPUT DATA-FILE
           IF TEXT-STATUS NOT = "00" OR DATA-STATUS NOT = "00"
               DISPLAY "INVWRITE CANNOT OPEN: TEXT " TEXT-STATUS
                   " DATA " DATA-STATUS
               MOVE 16 TO RETURN-CODE
               STOP RUN
           END-IF
           READ TEXT-FILE
           PERFORM UNTIL TEXT-STATUS NOT = "00"
               PERFORM FILL-RECORD
               PERFORM TO-EBCDIC
               PERFORM WRITE-RECORD
               READ TEXT-FILE
           END-PERFORM
           CLOSE TEXT-FILE DATA-FILE
           DISPLAY "INVWRITE WROTE " RECORD-COUNT
           STOP RUN.

       FILL-RECORD.
      *    All five lines exist while the record is being built.
           MOVE 5 TO LINE-COUNT
           INITIALIZE INVOICE-RECORD REPLACING
               ALPHANUMERIC DATA BY SPACES NUMERIC DATA BY ZEROS
           MOVE 5 TO LINE-COUNT
           MOVE 1 TO PLACE
           PERFORM NEXT-FIELD MOVE FIELD-TEXT TO INVOICE-NUMBER
           PERFORM NEXT-FIELD MOVE FIELD-TEXT TO DOCUMENT-TYPE
           PERFORM NEXT-FIELD MOVE FIELD-TEXT TO INVOICE-STATUS
           PERFORM NEXT-FIELD MOVE FIELD-TEXT TO CUSTOMER-ID
           PERFORM NEXT-FIELD MOVE FIELD-TEXT TO CUSTOMER-NAME
           PERFORM NEXT-FIELD MOVE FIELD-TEXT TO ORDER-NUMBER
           PERFORM NEXT-FIELD MOVE FIELD-TEXT TO ISSUE-DATE
           PERFORM NEXT-FIELD MOVE FIELD-TEXT TO DUE-DATE
           PERFORM NEXT-FIELD MOVE FIELD-TEXT TO CURRENCY-CODE
           PERFORM NEXT-FIELD
           MOVE FUNCTION NUMVAL(FIELD-TEXT) TO VAT-PERCENT
           PERFORM NEXT-FIELD
           MOVE FUNCTION NUMVAL(FIELD-TEXT) TO NET-AMOUNT
           PERFORM NEXT-FIELD
           MOVE FUNCTION NUMVAL(FIELD-TEXT) TO VAT-AMOUNT
           ADD NET-AMOUNT VAT-AMOUNT GIVING GROSS-AMOUNT
           PERFORM NEXT-FIELD MOVE FIELD-TEXT TO PAYMENT-METHOD
           PERFORM FILL-PAYMENT
           PERFORM NEXT-FIELD
           MOVE FUNCTION NUMVAL(FIELD-TEXT) TO REAL-LINE-COUNT
           PERFORM FILL-LINE VARYING LINE-IDX FROM 1 BY 1
               UNTIL LINE-IDX > REAL-LINE-COUNT.

       FILL-PAYMENT.
           IF BY-TRANSFER
               PERFORM NEXT-FIELD MOVE FIELD-TEXT TO IBAN
               PERFORM NEXT-FIELD MOVE FIELD-TEXT TO BIC
           ELSE
               PERFORM NEXT-FIELD MOVE FIELD-TEXT TO CARD-BRAND
               PERFORM NEXT-FIELD MOVE FIELD-TEXT TO CARD-LAST-DIGITS
               PERFORM NEXT-FIELD MOVE FIELD-TEXT TO AUTHORISATION-CODE
           END-IF.

       FILL-LINE.
           PERFORM NEXT-FIELD MOVE FIELD-TEXT TO SKU(LINE-IDX)
           PERFORM NEXT-FIELD MOVE FIELD-TEXT TO DESCRIPTION(LINE-IDX)
           PERFORM NEXT-FIELD
           MOVE FUNCTION NUMVAL(FIELD-TEXT) TO QUANTITY(LINE-IDX)
           PERFORM NEXT-FIELD
           MOVE FUNCTION NUMVAL(FIELD-TEXT) TO UNIT-PRICE(LINE-IDX)
           MULTIPLY QUANTITY(LINE-IDX) BY UNIT-PRICE(LINE-IDX)
               GIVING LINE-AMOUNT(LINE-IDX).

       NEXT-FIELD.
           MOVE SPACES TO FIELD-TEXT
           UNSTRING TEXT-LINE DELIMITED BY "|"
               INTO FIELD-TEXT WITH POINTER PLACE.

       TO-EBCDIC.
      *    Display fields alone: everything before the amounts, the
      *    payment's details, and two texts of each line.
           INSPECT INVOICE-RECORD(1:95)
               CONVERTING LATIN-1 TO CODE-PAGE-037
           INSPECT PAYMENT-METHOD
               CONVERTING LATIN-1 TO CODE-PAGE-037
           INSPECT PAYMENT-DETAILS
               CONVERTING LATIN-1 TO CODE-PAGE-037
           PERFORM VARYING LINE-IDX FROM 1 BY 1 UNTIL LINE-IDX > 5
               INSPECT SKU(LINE-IDX)
                   CONVERTING LATIN-1 TO CODE-PAGE-037
               INSPECT DESCRIPTION(LINE-IDX)
                   CONVERTING LATIN-1 TO CODE-PAGE-037
           END-PERFORM.

       WRITE-RECORD.
           MOVE INVOICE-RECORD TO DATA-RECORD
           MOVE REAL-LINE-COUNT TO WRITTEN-LINE-COUNT
           WRITE DATA-RECORD
           IF DATA-STATUS NOT = "00"
               DISPLAY "INVWRITE CANNOT WRITE: " DATA-STATUS
               MOVE 16 TO RETURN-CODE
               STOP RUN
           END-IF
           ADD 1 TO RECORD-COUNT.
