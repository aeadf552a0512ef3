      *****************************************************************
      * INVOICE.CPY - ONE INVOICE OR CREDIT NOTE, 516 BYTES           *
      * INVyyyymm.DAT, fixed length, text in EBCDIC (code page 037).  *
      * The line table is written at its full five entries; only the  *
      * first LINE-COUNT of them mean anything.                       *
      *****************************************************************
       01  INVOICE-RECORD.
           05  INVOICE-NUMBER          PIC X(10).
           05  DOCUMENT-TYPE           PIC X.
               88  IS-INVOICE                  VALUE 'I'.
               88  IS-CREDIT-NOTE              VALUE 'C'.
           05  INVOICE-STATUS          PIC X.
               88  IS-OPEN                     VALUE 'O'.
               88  IS-OVERDUE                  VALUE 'V'.
               88  IS-PAID                     VALUE 'P'.
           05  CUSTOMER-ID             PIC X(10).
           05  CUSTOMER-NAME           PIC X(40).
           05  ORDER-NUMBER            PIC X(10).
           05  ISSUE-DATE              PIC 9(8).
           05  DUE-DATE                PIC 9(8).
           05  CURRENCY-CODE           PIC X(3).
           05  VAT-PERCENT             PIC 9(2)V9(2).
           05  NET-AMOUNT              PIC S9(9)V9(2) COMP-3.
           05  VAT-AMOUNT              PIC S9(9)V9(2) COMP-3.
           05  GROSS-AMOUNT            PIC S9(9)V9(2) COMP-3.
           05  PAYMENT-METHOD          PIC X.
               88  BY-TRANSFER                 VALUE 'T'.
               88  BY-CARD                     VALUE 'C'.
           05  PAYMENT-DETAILS         PIC X(45).
           05  TRANSFER-DETAILS REDEFINES PAYMENT-DETAILS.
               10  IBAN                PIC X(34).
               10  BIC                 PIC X(11).
           05  CARD-DETAILS REDEFINES PAYMENT-DETAILS.
               10  CARD-BRAND          PIC X(20).
               10  CARD-LAST-DIGITS    PIC X(4).
               10  AUTHORISATION-CODE  PIC X(21).
           05  LINE-COUNT              PIC S9(4) COMP.
           05  INVOICE-LINE OCCURS 1 TO 5 TIMES
                       DEPENDING ON LINE-COUNT.
               10  SKU                 PIC X(20).
               10  DESCRIPTION         PIC X(36).
               10  QUANTITY            PIC S9(7) COMP.
               10  UNIT-PRICE          PIC S9(7)V9(2) COMP-3.
               10  LINE-AMOUNT         PIC S9(9)V9(2) COMP-3.
