-- A client asks for the receipt of one request by the id that its answer carried.
CREATE INDEX audit_of_request ON audit (request_id);
