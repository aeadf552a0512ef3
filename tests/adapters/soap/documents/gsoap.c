// A gSOAP server: content by MTOM both ways, and what its own plug-ins make of WS-Security and WS-Addressing.
// Arguments: a PEM file of the certificates to trust, and one of the key and certificate to sign replies with; with them,
// every message must be signed, and is. It prints the port that it listens on.
#include "soapH.h"
#include "Documents.nsmap"
#include "wsaapi.h"
#include "wsseapi.h"

static EVP_PKEY *own_key = NULL;
static X509 *own_certificate = NULL;

#define PASSWORD "let me in"

int main(int argc, char **argv) {
  struct soap *soap = soap_new1(SOAP_ENC_MTOM | SOAP_C_UTFSTRING);
  soap_register_plugin(soap, soap_wsse);
  soap_register_plugin(soap, soap_wsa);
  soap->cafile = argc > 1 ? argv[1] : NULL;
  FILE *own = argc > 2 ? fopen(argv[2], "r") : NULL;
  if (own != NULL) {
    own_key = PEM_read_PrivateKey(own, NULL, NULL, NULL);
    rewind(own);
    own_certificate = PEM_read_X509(own, NULL, NULL, NULL);
    fclose(own);
  }
  soap->recv_timeout = soap->send_timeout = 10;
  soap->bind_flags = SO_REUSEADDR;
  if (!soap_valid_socket(soap_bind(soap, "127.0.0.1", 0, 50))) return 1;
  struct sockaddr_in here;
  socklen_t size = sizeof here;
  getsockname(soap->master, (struct sockaddr *)&here, &size);
  printf("%d\n", ntohs(here.sin_port));
  fflush(stdout);
  while (soap_valid_socket(soap_accept(soap))) {
    // A context of its own: what one message was checked for must not count for the next.
    struct soap *one = soap_copy(soap);
    if (soap->cafile != NULL) soap_wsse_verify_auto(one, SOAP_SMD_NONE, NULL, 0);
    soap_serve(one);
    soap_destroy(one);
    soap_end(one);
    soap_free(one);
    soap->socket = SOAP_INVALID_SOCKET;
  }
  return 0;
}

static ULONG64 sum(const unsigned char *bytes, int size) {
  ULONG64 sum = 0;
  for (int at = 0; at < size; at++) sum = sum * 31 + bytes[at];
  return sum;
}

int d__Put(struct soap *soap, struct d__document *document, struct d__PutResponse *response) {
  if (document == NULL) return soap_sender_fault(soap, "no document", NULL);
  response->Size = document->Content.__size;
  response->Sum = sum(document->Content.__ptr, document->Content.__size);
  response->Type = document->Content.type;
  return SOAP_OK;
}

int d__Get(struct soap *soap, char *name, int size, struct d__GetResponse *response) {
  if (size < 0) {
    soap_sender_fault(soap, "no such document, see /srv/documents/index.db", NULL);
    struct SOAP_ENV__Detail *detail = soap_malloc(soap, sizeof *detail);
    memset(detail, 0, sizeof *detail);
    detail->d__NotFound = soap_malloc(soap, sizeof *detail->d__NotFound);
    detail->d__NotFound->Name = name;
    if (soap->version == 2) soap->fault->SOAP_ENV__Detail = detail;
    else soap->fault->detail = detail;
    return SOAP_FAULT;
  }
  struct d__document *document = response->Document = soap_malloc(soap, sizeof *document);
  memset(document, 0, sizeof *document);
  document->Name = name;
  document->Content.__ptr = soap_malloc(soap, size + 1);
  document->Content.__size = size;
  document->Content.id = NULL;
  document->Content.type = "application/pdf";
  for (int at = 0; at < size; at++) document->Content.__ptr[at] = (unsigned char)(at * 7 + (at >> 8));
  return SOAP_OK;
}

int d__Whoami(struct soap *soap, char *text, struct d__WhoamiResponse *response) {
  response->Text = text;
  if (soap->cafile != NULL) {
    X509 *signer = soap_wsse_get_KeyInfo_SecurityTokenReferenceX509(soap);
    if (signer == NULL) return soap->error;
    char *name = soap_malloc(soap, 200);
    if (soap_wsse_verify_Timestamp(soap)) return soap->error;
    // gSOAP calls both envelopes by the older name here.
    if (!soap_wsse_verify_element(soap, "http://schemas.xmlsoap.org/soap/envelope/", "Body"))
      return soap_sender_fault(soap, "the body isn't signed", NULL);
    X509_NAME_oneline(X509_get_subject_name(signer), name, 200);
    response->Signer = name;
    X509_free(signer);
  }
  // Looking for a user where there is none leaves a fault behind.
  if (soap->header != NULL && soap->header->wsse__Security != NULL && soap->header->wsse__Security->UsernameToken != NULL) {
    const char *user = soap_wsse_get_Username(soap);
    if (soap_wsse_verify_Timestamp(soap) || soap_wsse_verify_Password(soap, PASSWORD)) return soap->error;
    response->User = (char *)user;
  }
  if (soap->header != NULL && soap->header->wsa5__MessageID != NULL) {
    response->MessageID = soap_strdup(soap, soap->header->wsa5__MessageID);
    response->Action = soap_strdup(soap, soap->header->wsa5__Action ? soap->header->wsa5__Action : "");
    if (soap_wsa_check(soap) || soap_wsa_reply(soap, NULL, "urn:test:documents/WhoamiResponse")) return soap->error;
  }
  soap_wsse_delete_Security(soap);
  if (own_key != NULL) {
    // Its own reading of requests must not be undone by what a reply is signed for.
    soap_wsse_verify_done(soap);
    soap_set_omode(soap, SOAP_XML_CANONICAL);
    if (soap_wsse_add_Timestamp(soap, "Time", 300) || soap_wsse_add_BinarySecurityTokenX509(soap, "Token", own_certificate) ||
        soap_wsse_add_KeyInfo_SecurityTokenReferenceX509(soap, "#Token") ||
        soap_wsse_sign_body(soap, SOAP_SMD_SIGN_RSA_SHA256, own_key, 0))
      return soap->error;
  }
  // What came attached goes back; the first part is the message itself.
  struct soap_multipart *part = soap->mime.list;
  if (part != NULL) {
    soap_clr_dime(soap);
    soap->mime.list = NULL;
    soap_set_mime(soap, NULL, NULL);
    for (part = part->next; part != NULL; part = part->next)
      soap_set_mime_attachment(soap, (char *)part->ptr, part->size, SOAP_MIME_BINARY, part->type, part->id, NULL, NULL);
  }
  return SOAP_OK;
}

// WS-Addressing lets a server be sent faults; this one isn't asked for any.
int SOAP_ENV__Fault(struct soap *soap, char *code, char *text, char *actor, struct SOAP_ENV__Detail *detail,
                    struct SOAP_ENV__Code *code12, struct SOAP_ENV__Reason *reason, char *node, char *role,
                    struct SOAP_ENV__Detail *detail12) {
  return SOAP_NO_METHOD;
}
