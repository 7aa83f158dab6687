-- A schema that fails when it is applied twice.
CREATE TABLE probe (n integer);
