// What soapcpp2 makes the server of; documents.wsdl says the same.
//gsoap d service name: Documents
//gsoap d service style: document
//gsoap d service encoding: literal
//gsoap d service namespace: urn:test:documents
//gsoap d schema form: qualified
#import "wsse.h"
#import "wsa5.h"
#import "xmime.h"

struct xsd__base64Binary { unsigned char *__ptr; int __size; char *id, *type, *options; };
struct d__document { char *Name; struct xsd__base64Binary Content; };
struct d__NotFound { char *Name; };
struct SOAP_ENV__Detail { struct d__NotFound *d__NotFound; int __type; void *fault; char *__any; };

int d__Put(struct d__document *Document, struct d__PutResponse { int Size; ULONG64 Sum; char *Type; } *response);
int d__Get(char *Name, int Size, struct d__GetResponse { struct d__document *Document; } *response);
int d__Whoami(char *Text, struct d__WhoamiResponse { char *Text, *User, *Signer, *MessageID, *Action; } *response);
